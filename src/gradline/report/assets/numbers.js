"use strict";
/* gradline's report: numbers out of the page, and pictures out of numbers. No network, no storage. */

/** Bytes of base64 text. */
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Through a stream of the browser's own: "deflate" is what zlib writes. */
async function through(data, stream) {
  return new Uint8Array(await new Response(new Blob([data]).stream().pipeThrough(stream)).arrayBuffer());
}
const inflated = (data) => through(data, new DecompressionStream("deflate"));

/** A map of 16-bit whole numbers times `step`; low bytes stand before high bytes, −32768 is not finite. */
async function wholeMap({ rows, columns, step, values }) {
  const plane = rows * columns, raw = await inflated(bytes(values)), found = new Float64Array(plane);
  for (let i = 0; i < plane; i++) {
    const whole = ((raw[i] | (raw[plane + i] << 8)) << 16) >> 16;
    found[i] = whole === -32768 ? NaN : whole * step;
  }
  return { rows, columns, values: found };
}

/** Maps of a path as bytes, each the difference from the one before: arrays of contributions. */
async function stackedMaps({ count, rows, columns, cap, values }) {
  const raw = await inflated(bytes(values)), size = rows * columns;
  for (let i = size; i < raw.length; i++) raw[i] += raw[i - size]; // modulo 256
  const real = (level) => (level === 255 ? NaN : ((level - 127) / 127) * cap);
  const one = (k) => Float64Array.from(raw.subarray(k * size, (k + 1) * size), real);
  return Array.from({ length: count }, (_, k) => ({ rows, columns, values: one(k) }));
}

/** The contributions that an inline PNG of ours stands for: its palette indices, even in the square root of the size. */
async function pictureMap(source, cap) {
  const file = bytes(source.slice(source.indexOf(",") + 1)), view = new DataView(file.buffer);
  let columns = 0, rows = 0, raw = new Uint8Array();
  for (let at = 8; at < file.length; at += view.getUint32(at) + 12) {
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (kind === "IHDR") [columns, rows] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (kind === "IDAT") raw = await inflated(file.slice(at + 8, at + 8 + view.getUint32(at)));
  }
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    const level = raw[Math.floor(i / columns) + i + 1], root = (level - 127) / 127; // each row begins with a filter byte
    values[i] = level === 255 ? NaN : Math.sign(root) * root * root * cap;
  }
  return { rows, columns, values };
}

/** Colours of a map, red, green, blue and opacity: as dense as the size on the scale; nothing below `cut`. */
function coloured({ values }, { scale, sizes = false, cut = 0 }, colours) {
  const out = new Uint8ClampedArray(values.length * 4);
  values.forEach((v, i) => {
    const size = Math.abs(v), known = Number.isFinite(v);
    const colour = !known ? [128, 128, 128] : sizes ? colours.size : v >= 0 ? colours.raises : colours.lowers;
    out.set(colour, 4 * i);
    out[4 * i + 3] = !known ? 255 : size < cut || scale === 0 ? 0 : Math.round(Math.min(1, size / scale) * 255);
  });
  return out;
}

/** Paint a map on a canvas of its own resolution. */
function paint(canvas, map, look, colours) {
  const { rows, columns } = map;
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  canvas.getContext("2d").putImageData(new ImageData(coloured(map, look, colours), columns), 0, 0);
}

/** A PNG file of coloured pixels, written here: browsers may add noise to what is read back from a canvas. */
async function pngOf({ rows, columns }, pixels) {
  const wide = columns * 4, lines = new Uint8Array(rows * (wide + 1));
  for (let r = 0; r < rows; r++) lines.set(pixels.subarray(r * wide, (r + 1) * wide), r * (wide + 1) + 1);
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, columns);
  head.setUint32(4, rows);
  head.setUint16(8, 0x0806); // eight bits, with opacity
  const packed = await through(lines, new CompressionStream("deflate"));
  const parts = [chunk("IHDR", new Uint8Array(head.buffer)), chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  const first = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  const file = new Uint8Array(await new Blob([first, ...parts]).arrayBuffer());
  let text = "";
  for (let i = 0; i < file.length; i += 32768) text += String.fromCharCode(...file.subarray(i, i + 32768));
  return `data:image/png;base64,${btoa(text)}`;
}

function chunk(kind, data) {
  const whole = new Uint8Array(data.length + 12), view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  whole.set([...kind].map((c) => c.charCodeAt(0)), 4);
  whole.set(data, 8);
  let crc = -1;
  for (const byte of whole.subarray(4, data.length + 8)) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(data.length + 8, ~crc);
  return whole;
}

/** Sizes of a map, largest first, with the sum up to each: how much the strongest pixels hold. */
function ranked({ values }) {
  const sizes = Float64Array.from(values, Math.abs).filter(Number.isFinite).sort().reverse();
  let held = 0;
  return { sizes, held: Float64Array.from(sizes, (size) => (held += size)) };
}

/** The least size among the fewest strongest pixels that hold `share` of the map. */
function leastOf({ sizes, held }, share) {
  const due = share * held[held.length - 1] * (1 - 1e-12);
  const place = held.findIndex((sum) => sum >= due);
  return share >= 1 || place < 0 ? 0 : sizes[place];
}

/** The height at x of the line through (xs, ys); flat beyond its ends; NaN beside a place without a number. */
function onLine(x, xs, ys) {
  const after = xs.findIndex((place) => place >= x), at = (i) => ys[i] ?? NaN;
  if (after < 1) return at(after < 0 ? xs.length - 1 : 0);
  if (xs[after] === x) return at(after);
  return at(after - 1) + ((at(after) - at(after - 1)) * (x - xs[after - 1])) / (xs[after] - xs[after - 1]);
}

/** Significant digits and a true minus. */
const digits = (v, count = 3) => {
  return Number.isFinite(v) ? String(Number(v.toPrecision(count))).replace("-", "−") : "unknown";
};
const withSign = (v, count = 3) => (v > 0 ? "+" : "") + digits(v, count);
const percent = (share) => {
  const size = Math.abs(share);
  if (!Number.isFinite(share)) return "unknown";
  if (size > 0 && size < 1e-5) return "below 0.001\u00a0%";
  return `${digits(size < 1 ? 100 * share : Math.round(100 * share), size < 1 ? 2 : 12)}\u00a0%`;
};
