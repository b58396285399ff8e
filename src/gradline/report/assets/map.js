/* The map panel: signed or sizes, blended with the photo, without its weak pixels; values under the pointer. */

async function mapPanel({ data, say }, panel) {
  const map = await wholeMap(data.map), order = ranked(map), { scale, block } = data.map;
  const layers = panel.querySelector("[data-layers]"), canvas = canvasFor(layers, panel.querySelector("[data-photo]"));
  const slider = panel.querySelector("[data-control='threshold']"), label = panel.querySelector("[data-label='threshold']");
  let look = {}, layer = {};

  function show() {
    const byShare = setting(panel, "by") === "share", amount = setting(panel, "threshold") / 100;
    look = { scale, sizes: setting(panel, "show") === "size", cut: byShare ? leastOf(order, amount) : amount * scale };
    paint(canvas, map, look, data.colours);
    layer = blended(layers, setting(panel, "blend") / 100);
    legends(panel, look, data.directions);
    label.textContent = byShare ? "Show the strongest pixels that hold" : "Show sizes above";
    tell(panel, "blend", `${setting(panel, "blend")}\u00a0%`);
    tell(panel, "threshold", `${slider.value}\u00a0% of the ${byShare ? "map" : "scale"}`);
    write(panel, "shown", shownIn(map, look.cut, block));
    const what = `${look.sizes ? "sizes" : "signed values"}, ${setting(panel, "blend")}\u00a0% from photo to map`;
    panel.querySelector("[data-state]").textContent = `Shown here: ${what}. ${shownIn(map, look.cut, block)}`;
  }

  for (const control of all(panel, "[data-control]")) {
    control.oninput = () => {
      if (control.dataset.control === "by") slider.value = control.value === "share" ? 100 : 0;
      show();
      if (control.dataset.control !== "blend") say(shownIn(map, look.cut, block));
    };
  }
  readValues(panel, layers, canvas, map, { block, scale, say, data, hidden: (v) => Math.abs(v) < look.cut });
  const name = `${data.file}-map`;
  panel.querySelector("[data-do='save-map-csv']").onclick = () => save(`${name}.csv`, "text/csv", mapTable(map, block, data));
  panel.querySelector("[data-do='save-map-svg']").onclick = async () => {
    const picture = await pngOf(map, coloured(map, look, data.colours));
    save(`${name}.svg`, "image/svg+xml", mapDrawing(layers, picture, look, layer, data));
  };
  show();
}

/** How much a threshold leaves, in words. */
function shownIn({ values }, cut, block) {
  const count = (n) => n.toLocaleString("en").replaceAll(",", "\u202f"), things = block > 1 ? "blocks" : "pixels";
  const known = values.filter(Number.isFinite), kept = known.filter((v) => Math.abs(v) >= cut);
  if (kept.length === known.length) return `All ${count(kept.length)} ${things} are shown.`;
  const size = (some) => some.reduce((sum, v) => sum + Math.abs(v), 0), sum = (some) => some.reduce((a, b) => a + b, 0);
  const shown = `${count(kept.length)} of ${count(known.length)} ${things} are shown`;
  const held = `${percent(size(kept) / size(known))} of the map’s size`;
  return `${shown}: ${held}, adding up to ${withSign(sum(kept))} of ${withSign(sum(known))}.`;
}

/** The value under the pointer, or under a marker that the arrow keys move. */
function readValues(panel, layers, canvas, map, { block, scale, say, data, hidden }) {
  const marker = layers.appendChild(make("div", { className: "marker", hidden: true }));
  let [row, column] = [map.rows >> 1, map.columns >> 1];
  const within = (at, count) => Math.max(0, Math.min(count - 1, Math.floor(at)));

  function words(v) {
    if (!Number.isFinite(v)) return "not finite";
    const [lowers, raises] = data.contributes ? ["lowers the score", "raises the score"] : data.directions;
    const share = scale && v ? `, ${percent(Math.abs(v) / scale)} of the scale` : "";
    return `${v === 0 ? "zero" : v > 0 ? raises : lowers}${share}${hidden(v) ? " (hidden)" : ""}`;
  }

  function read() {
    const v = map.values[row * map.columns + column];
    const span = (at) => (block > 1 ? `${at * block}–${(at + 1) * block - 1}` : at);
    const text = `Row ${span(row)}, column ${span(column)}: ${withSign(v)}, ${words(v)}`;
    write(panel, "value", text);
    const [wide, high] = [canvas.clientWidth / map.columns, canvas.clientHeight / map.rows];
    const place = { width: wide, height: high, left: (column + 0.5) * wide, top: (row + 0.5) * high };
    for (const [side, length] of Object.entries(place)) marker.style[side] = `${length}px`;
    marker.hidden = false;
    return text;
  }

  canvas.className += " canvas";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Map: arrow keys move a marker, with Shift by ten; the value there is read out");
  canvas.onpointermove = canvas.onpointerdown = (event) => {
    const box = canvas.getBoundingClientRect();
    row = within(((event.clientY - box.top) / box.height) * map.rows, map.rows);
    column = within(((event.clientX - box.left) / box.width) * map.columns, map.columns);
    read();
  };
  canvas.onfocus = () => say(read());
  canvas.onblur = canvas.onpointerleave = () => { marker.hidden = !canvas.matches(":focus-visible"); };
  canvas.onkeydown = (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    [row, column] = [within(row + far * move[0], map.rows), within(column + far * move[1], map.columns)];
    say(read());
  };
}

/** Every value as a line of text. */
function mapTable({ columns, values }, block, { quantity }) {
  const what = block > 1 ? `${quantity}; sums over ${block} x ${block} pixels from that row and column on` : quantity;
  const value = (v) => (Number.isFinite(v) ? Number(v.toPrecision(7)) : "");
  const line = (v, i) => `${Math.floor(i / columns) * block},${(i % columns) * block},${value(v)}`;
  return `row,column,${quoted(what)}\n${Array.from(values, line).join("\n")}\n`;
}

/** The picture as it is shown, with its legend, for a paper. */
function mapDrawing(layers, picture, { scale, sizes }, { grey, photo, tint }, { colours, quantity, directions }) {
  const canvas = layers.querySelector("canvas"), wide = 480, high = (wide * layers.clientHeight) / layers.clientWidth;
  const rgb = (colour) => `rgb(${colour.join(",")})`;
  const ends = sizes ? ["#fff", rgb(colours.size)] : [rgb(colours.lowers), "#fff", rgb(colours.raises)];
  const stops = ends.map((colour, i) => `<stop offset="${i / (ends.length - 1)}" stop-color="${colour}"/>`);
  const image = (source, part, look) => {
    const [w, h] = [(wide * part.clientWidth) / layers.clientWidth, (high * part.clientHeight) / layers.clientHeight];
    return `<image href="${source}" width="${w}" height="${h}" preserveAspectRatio="none" ${look}/>`;
  };
  const text = (x, y, anchor, words) => `<text x="${x}" y="${high + y}" text-anchor="${anchor}">${escaped(words)}</text>`;
  const end = digits(scale, 2), size = `width="${wide + 20}" height="${high + 90}"`, font = `font-family="sans-serif" font-size="13"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -10 ${wide + 20} ${high + 90}" ${size} ${font}>`,
    `<defs><filter id="grey"><feColorMatrix type="saturate" values="${1 - grey}"/></filter>`,
    `<linearGradient id="scale">${stops.join("")}</linearGradient>`,
    `<clipPath id="frame"><rect width="${wide}" height="${high}"/></clipPath></defs>`,
    `<rect x="-10" y="-10" ${size} fill="#fff"/>`,
    `<g clip-path="url(#frame)">`,
    image(layers.querySelector(".photo").src, layers, `opacity="${photo}" filter="url(#grey)"`),
    image(picture, canvas, `opacity="${tint}" style="image-rendering:pixelated"`),
    `</g><rect y="${high + 16}" width="${wide}" height="14" fill="url(#scale)" stroke="#888"/>`,
    text(0, 48, "start", sizes ? "0" : `−${end} ${directions[0]}`),
    text(wide, 48, "end", sizes ? end : `+${end} ${directions[1]}`),
    text(wide / 2, 68, "middle", `${sizes ? "size: " : ""}${quantity}`),
    "</svg>\n",
  ].join("\n");
}
