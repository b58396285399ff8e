/* What every panel shares: finding elements, reading controls, saving, copying, themes. */

const all = (place, selector) => [...place.querySelectorAll(selector)];
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

/** The element of that id that was not started yet, in the page or in the open shadow roots of a notebook. */
function found(id, place = document) {
  const here = place.querySelector(`[id="${id}"]:not([data-started])`);
  if (here) return here;
  for (const host of all(place, "*")) {
    const inside = host.shadowRoot && found(id, host.shadowRoot);
    if (inside) return inside;
  }
  return null;
}

/** Names of controls that no other view of the same output has: radio buttons of one name share one choice. */
function renamed(root) {
  const mark = `-${Math.random().toString(36).slice(2)}`;
  for (const [selector, attribute] of [["[type='radio']", "name"], ["input[id]", "id"], ["[for]", "for"]]) {
    for (const part of all(root, selector)) part.setAttribute(attribute, part.getAttribute(attribute) + mark);
  }
  for (const radio of all(root, "[type='radio']")) radio.checked = radio.defaultChecked;
}

/** What a control of a panel says: the choice among radio buttons, else a number. */
function setting(panel, name, otherwise) {
  const controls = all(panel, `[data-control='${name}']`);
  if (!controls.length) return otherwise;
  return controls[0].type === "radio" ? controls.find((c) => c.checked).value : Number(controls[0].value);
}

/** Put text into the places of a panel that are meant for it. */
function write(panel, name, text) {
  for (const out of all(panel, `[data-out='${name}']`)) out.textContent = text;
}

/** The value of a slider in words, beside it and for those who hear it. */
function tell(panel, name, text) {
  write(panel, name, text);
  for (const control of all(panel, `[data-control='${name}']`)) control.setAttribute("aria-valuetext", text);
}

/** What a screen reader hears, once the reader has stopped moving. */
function sayer(root) {
  const place = root.querySelector("[data-say]");
  let waiting = 0;
  return (text) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { place.textContent = text; }, 400);
  };
}

/** A file of the reader's, made here. */
function save(name, kind, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 5000);
}

/** The text beside a button to the clipboard; where that is not allowed, selected, to be copied by hand. */
async function copy(button, say) {
  const code = button.closest("figure").querySelector("pre"), label = button.dataset.label ??= button.textContent;
  const note = (text) => {
    button.textContent = text;
    say(text);
    setTimeout(() => { button.textContent = label; }, 2500);
  };
  try {
    await navigator.clipboard.writeText(code.textContent);
    note("Copied");
  } catch {
    const area = make("textarea", { value: code.textContent, readOnly: true, rows: 4 });
    area.setAttribute("aria-label", `${label}: press Ctrl+C or ⌘C`);
    area.onblur = () => area.replaceWith(code);
    code.replaceWith(area);
    area.focus();
    area.select();
    note("Press Ctrl+C");
  }
}

/** Follows the system, or the notebook, until the button is pressed; remembered nowhere. */
function themes(root) {
  const button = root.querySelector("[data-do='theme']"), system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => {
    const scheme = getComputedStyle(root).colorScheme;
    return scheme.includes("light") && scheme.includes("dark") ? system.matches : scheme.includes("dark");
  };
  const name = () => { button.lastElementChild.textContent = dark() ? "Light theme" : "Dark theme"; };
  button.onclick = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
  };
  system.addEventListener("change", name);
  name();
}

/** A canvas in place of a picture, and the photo under it. */
function canvasFor(layers, photo) {
  const image = layers.querySelector("img.tint"), canvas = make("canvas", { className: "tint" });
  canvas.setAttribute("role", "img");
  if (image) {
    canvas.style.cssText = image.style.cssText;
    canvas.setAttribute("aria-label", image.alt);
    image.replaceWith(canvas);
  } else layers.append(canvas);
  if (photo) layers.prepend(make("img", { src: photo.src, alt: "", className: "photo" }));
  return canvas;
}

/** From the photo (0) over the map on the grey photo (0.5) to the map (1), by the opacity of the layers. */
function blended(layers, share) {
  const first = Math.min(1, 2 * share), second = Math.max(0, 2 * share - 1);
  const layer = { grey: first, photo: (1 - 0.45 * first) * (1 - second), tint: first };
  for (const [name, value] of Object.entries(layer)) layers.style.setProperty(`--${name}`, value);
  return layer;
}

/** Numbers and hatching of a legend; sizes run from zero, signed values to both sides. */
function legends(panel, { scale, sizes, cut }, directions) {
  for (const legend of all(panel, "[data-legend]")) {
    const put = (name, text) => { legend.querySelector(`[data-${name}]`).textContent = text; };
    legend.classList.toggle("size", sizes);
    legend.style.setProperty("--cut", `${Math.min(100, scale ? (100 * cut) / scale : 0)}%`);
    put("low", sizes ? "0" : `−${digits(scale, 2)}`);
    put("low-word", sizes ? "" : directions[0]);
    put("zero", sizes ? "" : "0");
    put("high", `${sizes ? "" : "+"}${digits(scale, 2)}`);
    put("high-word", sizes ? "of either sign" : directions[1]);
  }
}

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
