/* The text and the matrix: words on colours, values under the pointer or the arrow keys, sources of an answer. */

const INKS = { up: [178, 24, 43], down: [33, 102, 172], size: [64, 30, 104] };

/** Whether white letters are easier to read than black ones on a colour of that share, over white. */
function isDeep(colour, share) {
  const light = colour.map((c) => (255 + share * (c - 255)) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const all = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] + 0.05;
  return 1.05 / all > all / 0.05;
}

/** Give an element the colour of a value on a scale. */
function tinted(element, value, scale, sizes = false) {
  const known = Number.isFinite(value), share = known && scale ? Math.min(1, Math.abs(value) / scale) : 0;
  const side = value > 0 ? "up" : value < 0 ? "down" : "";
  for (const name of ["up", "down", "bad", "deep"]) element.classList.remove(name);
  element.classList.add(...(known ? [side].filter(Boolean) : ["bad"]));
  element.classList.toggle("deep", known && share > 0 && isDeep(sizes ? INKS.size : INKS[side], share));
  element.style.setProperty("--v", share.toFixed(3));
}

const effect = (v, [lowers, raises]) => (v === 0 ? "zero" : v > 0 ? raises : lowers).replace(/^raises it$/, "raises the score");

/** A text in quotation marks that turns nothing around it, whichever way it runs. */
const cited = (text) => `“\u2068${text.trim()}\u2069”`;

/** What is known of a word: text, value, share of all sizes, block, special, space, breaks, start. */
const wordOf = ([text, value, share, block, special, space, breaks, start]) => ({ text, value: value ?? NaN, share, block, special, space, breaks, start });

function textPanel({ data, say }, panel) {
  const place = panel.querySelector("[data-text]");
  let words = [], spans = [], at = -1;

  function fill() {
    words = data.text[setting(panel, "level")].words.map(wordOf);
    spans = words.map(({ text, value, start }, k) => {
      const title = [withSign(value), start && `the path starts at ${cited(start)}`].filter(Boolean).join("; ");
      const span = make("span", { className: "w", textContent: text, title });
      span.dataset.k = k;
      return span;
    });
    for (const block of all(place, "[data-block]")) {
      const mine = words.map((_, k) => k).filter((k) => (words[k].special ? "special" : `${words[k].block}`) === block.dataset.block);
      const parts = mine.flatMap((k, n) => [n && (words[k].space || words[k].special) ? " " : "", spans[k], words[k].breaks ? make("br", {}) : ""]);
      block.replaceChildren(...parts.filter((part) => part !== ""));
    }
    at = -1;
  }

  function show() {
    const { scale, note } = data.text[setting(panel, "level")], sizes = setting(panel, "show") === "size";
    place.classList.toggle("by-size", sizes);
    spans.forEach((span, k) => tinted(span, words[k].value, scale, sizes));
    legends(panel, { scale, sizes, cut: 0 }, data.directions);
    write(panel, "note", note);
    panel.querySelector("[data-state]").textContent = `Shown here: ${setting(panel, "level")}, ${sizes ? "sizes" : "signed values"}.`;
  }

  function read(k) {
    const { text, value, share, start } = words[k], [before] = all(place, ".here");
    before?.classList.remove("here");
    spans[(at = k)].classList.add("here");
    const known = Number.isFinite(value) ? `${withSign(value)}, ${percent(share)} of all sizes, ${effect(value, data.directions)}` : "not finite";
    const said = `${cited(text)}: ${known}${start ? `; the path starts at ${cited(start)}` : ""}`;
    write(panel, "value", said);
    return said;
  }

  for (const control of all(panel, "[data-control]")) {
    control.oninput = () => {
      if (control.dataset.control === "level") fill();
      show();
      say(`${control.labels[0].textContent}: ${data.text[setting(panel, "level")].note}`);
    };
  }
  place.tabIndex = 0;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", "The text: arrow keys go from word to word; the value is read out");
  place.onpointerover = place.onpointerdown = (event) => {
    const span = event.target.closest(".w");
    if (span) read(Number(span.dataset.k));
  };
  place.onkeydown = (event) => {
    const order = all(place, ".w"), here = Math.max(0, order.indexOf(spans[at]));
    const next = at < 0 ? order[0] : besides(order, here, event.key);
    if (!/^(Arrow|Home|End)/.test(event.key) || !next) return;
    event.preventDefault();
    say(read(Number(next.dataset.k)));
    next.scrollIntoView({ block: "nearest" });
  };
  panel.querySelector("[data-do='save-text-csv']").onclick = () => {
    const level = setting(panel, "level");
    save(`${data.file}-${level}.csv`, "text/csv", textTable(words, data.quantity));
  };
  fill();
  show();
}

/** The element to which a key leads: along the text, or to the nearest one of another line. */
function besides(order, here, key) {
  if (key === "Home" || key === "End") return order.at(key === "Home" ? 0 : -1);
  const leftward = getComputedStyle(order[here].parentElement).direction === "rtl";
  const step = { ArrowRight: leftward ? -1 : 1, ArrowLeft: leftward ? 1 : -1 }[key];
  if (step) return order[here + step];
  const middle = (box) => box.left + box.width / 2, mine = order[here].getBoundingClientRect(), down = key === "ArrowDown";
  const lines = order.map((span) => [span, span.getBoundingClientRect()]).filter(([, box]) => (down ? box.top > mine.bottom - 2 : box.bottom < mine.top + 2));
  const line = down ? Math.min(...lines.map(([, box]) => box.top)) : Math.max(...lines.map(([, box]) => box.top));
  const near = lines.filter(([, box]) => Math.abs(box.top - line) < 4);
  return near.sort(([, a], [, b]) => Math.abs(middle(a) - middle(mine)) - Math.abs(middle(b) - middle(mine)))[0]?.[0];
}

/** Every value as a line of text. */
function textTable(words, quantity) {
  const value = (v) => (Number.isFinite(v) ? Number(v.toPrecision(9)) : "");
  const line = ({ text, value: v, share, special, start }) => [quoted(text), special ? "yes" : "no", value(v), value(share), quoted(start)].join(",");
  return `text,special,${quoted(quantity)},share of all sizes,starts at\n${words.map(line).join("\n")}\n`;
}

/** Sources of each token of an answer: in the prompt and in the table. */
function matrixPanel({ data, say }, panel) {
  const { answer, words, values, totals, sums, scale, whole } = data.matrix;
  const spans = all(panel.querySelector("[data-prompt]"), ".w"), rows = all(panel, "[data-row]");
  let kept = -1;

  function light(row) {
    const one = row >= 0, shown = one ? values[row].map((v) => v ?? NaN) : sums, full = one ? scale : whole;
    spans.forEach((span) => {
      const k = Number(span.dataset.k);
      tinted(span, shown[k], full);
      span.title = `${withSign(shown[k])} to ${one ? cited(answer[row]) : "the whole answer"}`;
    });
    rows.forEach((tr, k) => tr.classList.toggle("on", k === row));
    legends(panel, { scale: full, sizes: false, cut: 0 }, ["against it", "for it"]);
    const said = one ? sourcesOf(row) : `The whole answer: its sources add up to ${withSign(totals.reduce((a, b) => a + b, 0))}.`;
    write(panel, "source", said);
    return said;
  }

  function sourcesOf(row) {
    const first = values[row].map((v, k) => [v ?? 0, k]).sort(([a], [b]) => Math.abs(b) - Math.abs(a)).slice(0, 3);
    const list = first.filter(([v]) => v).map(([v, k]) => `${cited(words[k])} ${withSign(v)}`).join(", ");
    return `${cited(answer[row])}: ${withSign(totals[row])} in all${list ? `; most from ${list}` : ""}${kept === row ? " (kept)" : ""}`;
  }

  function press(row) {
    kept = kept === row ? -1 : row;
    buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === kept));
    say(light(kept >= 0 ? kept : row));
  }

  const buttons = answer.map((text, row) => {
    const button = make("button", { type: "button", textContent: text, onclick: () => press(row) });
    button.setAttribute("aria-pressed", "false");
    button.onpointerenter = () => { if (kept < 0) light(row); };
    button.onfocus = () => { if (kept < 0) say(light(row)); };
    button.onpointerleave = button.onblur = () => light(kept);
    return button;
  });
  panel.querySelector("[data-answer]").replaceChildren(...buttons.flatMap((button) => [button, " "]));
  panel.onkeydown = (event) => { if (event.key === "Escape" && kept >= 0) press(kept); };
  for (const [row, tr] of rows.entries()) {
    tr.onpointerenter = () => { if (kept < 0) light(row); };
    tr.onpointerleave = () => light(kept);
    tr.onclick = () => press(row);
  }
  panel.querySelector("[data-do='save-matrix-csv']").onclick = () => {
    const line = (name, row, sum) => [quoted(name), ...row.map((v) => v ?? ""), sum].join(",");
    const head = ["answer", ...words, "sum"].map(quoted).join(",");
    save(`${data.file}-matrix.csv`, "text/csv", `${head}\n${answer.map((name, k) => line(name, values[k], totals[k])).join("\n")}\n`);
  };
  light(-1);
}
