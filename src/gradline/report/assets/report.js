/* Bringing a report to life. The page is whole without a script; `start` is given its root element, `render` a cell. */

const PANELS = { map: mapPanel, path: pathPanel, tiles: tilesPanel, text: textPanel, matrix: matrixPanel };

/** Once, and only where the numbers can be unpacked; what is shown only with a script is shown last. */
async function start(root, data) {
  if (!root || root.dataset.started || !("DecompressionStream" in globalThis)) return;
  root.dataset.started = "yes";
  renamed(root);
  const numbers = data ?? JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const page = { root, data: numbers, say: sayer(root) };
  for (const panel of all(root, "[data-panel]")) await PANELS[panel.dataset.panel](page, panel);
  for (const button of all(root, "[data-do='copy']")) button.onclick = () => copy(button, page.say);
  themes(root);
  root.classList.add("live");
  for (const part of all(root, "[data-live]")) part.hidden = false;
}

/** Several maps side by side: one scale for those that can be compared, or each its own; it is written under each. */
async function tilesPanel({ data, say }, panel) {
  const photo = panel.querySelector("[data-photo]"), tiles = [];
  for (const tile of all(panel, "[data-tile]")) {
    const layers = tile.querySelector("[data-layers]"), { cap, own, shared } = tile.dataset;
    const map = await pictureMap(layers.querySelector("img.tint").src, Number(cap));
    tiles.push({ tile, map, layers, canvas: canvasFor(layers, photo), own: Number(own), shared: Number(shared) });
  }

  function show() {
    const each = setting(panel, "scale", "shared") === "each", sizes = setting(panel, "show", "signed") === "size";
    const threshold = setting(panel, "threshold", 0), blend = setting(panel, "blend", 100);
    for (const { tile, map, layers, canvas, own, shared } of tiles) {
      const scale = each ? own : shared;
      paint(canvas, map, { scale, sizes, cut: (threshold / 100) * scale }, data.colours);
      blended(layers, blend / 100);
      write(tile, "scale", `full colour at ${sizes ? "" : "±"}${digits(scale, 2)}`);
    }
    panel.classList.toggle("sizes", sizes);
    tell(panel, "blend", `${blend}\u00a0%`);
    tell(panel, "threshold", `${threshold}\u00a0% of the scale`);
  }

  for (const control of all(panel, "[data-control]")) {
    control.oninput = () => {
      show();
      say(`${control.labels[0].textContent}, all maps`);
    };
  }
  show();
}

/** For anywidget: the same page in a cell, with `t`, `blend` and `threshold` known on both sides. */
async function render({ model, el }) {
  el.innerHTML = model.get("html");
  const root = el.querySelector(".gradline"), undo = [];
  await start(root, model.get("data"));
  if (!root.classList.contains("live")) return () => {};
  for (const name of ["t", "blend", "threshold"]) {
    const control = root.querySelector(`[data-control='${name}']`);
    if (!control) continue;
    const toPage = () => {
      control.value = model.get(name);
      control.oninput();
    };
    toPage();
    model.on(`change:${name}`, toPage);
    undo.push(() => model.off(`change:${name}`, toPage));
    control.addEventListener("input", () => {
      model.set(name, Number(control.value));
      model.save_changes();
    });
  }
  return () => undo.forEach((off) => off());
}
