/* The path panel: a cursor from the baseline to the photo, and what is known there. */

async function pathPanel({ root, data, say }, panel) {
  const { t: places, score, nodes, norm, share, stages } = data.path, chart = panel.querySelector("[data-chart]");
  const slider = panel.querySelector("[data-control='t']"), cursor = slider && cursorOf(chart);
  if (!slider) return;
  const maps = stages ? await stackedMaps(stages) : [], even = share && share.map((_, k) => k / (share.length - 1));
  const photo = blendOf(panel.querySelector("[data-way]"), root.querySelector("[data-photo]"));
  const partial = panel.querySelector("[data-partial]"), canvas = partial && canvasFor(partial, null);
  if (canvas) canvas.setAttribute("aria-label", "The map made by then");

  function show() {
    const t = Number(slider.value), made = share ? onLine(t, even, share) : NaN;
    const at = { score: onLine(t, places, score), norm: onLine(t, nodes, norm), share: made };
    const rise = (at.score - score[0]) / (score[score.length - 1] - score[0]);
    write(panel, "t", t.toFixed(2));
    write(panel, "score", digits(at.score, 4));
    write(panel, "rise", Number.isFinite(rise) ? `${percent(rise)} of the change` : "");
    write(panel, "norm", digits(at.norm));
    write(panel, "share", percent(at.share));
    if (photo) photo.style.opacity = t;
    if (canvas) paint(canvas, mapAt(maps, t), { scale: stages.cap }, data.colours);
    cursor(t, at);
    slider.setAttribute("aria-valuetext", `t = ${t.toFixed(2)}`);
    const grown = share ? `, and ${percent(made)} of the map is made` : "";
    return `At t = ${t.toFixed(2)} the score is ${digits(at.score, 4)}, the gradient norm ${digits(at.norm)}${grown}.`;
  }

  const frame = chart.querySelector(".frame");
  const follow = (event) => {
    const { a, e } = chart.getScreenCTM();
    slider.value = ((event.clientX - e) / a - frame.x.baseVal.value) / frame.width.baseVal.value;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };
  slider.oninput = () => say(show());
  chart.onpointermove = (event) => { if (event.buttons) follow(event); };
  chart.onpointerdown = (event) => {
    chart.setPointerCapture(event.pointerId);
    follow(event);
  };
  const name = `${data.file}-path`;
  panel.querySelector("[data-do='save-path-svg']").onclick = () => save(`${name}.svg`, "image/svg+xml", drawingOf(root, chart));
  panel.querySelector("[data-do='save-path-csv']").onclick = () => save(`${name}.csv`, "text/csv", pathTable(data.path, even));
  show();
}

/** The photo over the picture of where the path starts: as dense as the path has come far. */
function blendOf(way, photo) {
  return way && way.appendChild(make("img", { src: photo.src, alt: "and the photo, as far as the path has come" }));
}

/** The map made by t: between two that were kept, as much of each as t is near to it. */
function mapAt(maps, t) {
  const place = t * maps.length, after = Math.min(maps.length - 1, Math.floor(place)), part = place - after;
  const { rows, columns, values } = maps[after], before = after ? maps[after - 1].values : new Float64Array(values.length);
  return { rows, columns, values: values.map((v, i) => before[i] + part * (v - before[i])) };
}

/** A line over all strips with a dot on each curve; returns what moves it. */
function cursorOf(chart) {
  const group = chart.querySelector("[data-cursor]"), frame = chart.querySelector(".frame");
  const strips = all(chart, "[data-strip]").map(({ dataset: { strip, low, high, top, height } }) => {
    return { strip, low: Number(low), high: Number(high), top: Number(top), height: Number(height) };
  });
  const draw = (tag) => group.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  const put = (shape, places) => { for (const [name, value] of Object.entries(places)) shape.setAttribute(name, value); };
  const line = draw("line"), dots = strips.map(() => draw("circle")), last = strips[strips.length - 1];
  put(line, { y1: strips[0].top, y2: last.top + last.height });
  return (t, at) => {
    const x = frame.x.baseVal.value + t * frame.width.baseVal.value;
    put(line, { x1: x, x2: x });
    strips.forEach(({ strip, low, high, top, height }, i) => {
      const v = at[strip], known = Number.isFinite(v), up = high > low ? (v - low) / (high - low) : 0.5;
      put(dots[i], { cx: x, cy: known ? top + height * (1 - up) : top, r: 4.5, visibility: known ? "visible" : "hidden" });
    });
  };
}

/** What was seen along the path as lines of text; the gradient is known where it was read. */
function pathTable({ t, score, nodes, norm, share, quantity }, even) {
  const read = new Map(nodes.map((place, i) => [place, norm[i]]));
  const line = (place, i) => [place, score[i] ?? "", read.get(place) ?? "", share ? onLine(place, even, share) : ""].join(",");
  return `t,${quoted(quantity)},gradient_norm,share_of_map\n${t.map(line).join("\n")}\n`;
}

/** A drawing of the page as a file by itself: the light theme's colours written into every shape. */
function drawingOf(root, chart) {
  const theme = root.dataset.theme, copied = chart.cloneNode(true), shapes = all(copied, "*");
  const names = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-weight", "font-family"];
  root.dataset.theme = "light";
  all(chart, "*").forEach((shape, i) => {
    const look = getComputedStyle(shape);
    shapes[i].setAttribute("style", names.map((name) => `${name}:${look.getPropertyValue(name)}`).join(";"));
  });
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const [, , width, height] = chart.getAttribute("viewBox").split(" ");
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", width], ["height", height], ["fill", "#fff"]]) paper.setAttribute(name, value);
  copied.prepend(paper);
  copied.setAttribute("width", width);
  copied.setAttribute("height", height);
  return `${new XMLSerializer().serializeToString(copied)}\n`;
}
