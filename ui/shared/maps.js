// Maps: which colours values get, and small pictures of them. `props.tables` holds the colour maps of `visualize`.

const TABLES = {};
for (const [name, text] of Object.entries(props.tables)) {
  TABLES[name] = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); // 256 × red, green, blue
}

function largestOf(values, prefix) {
  let top = 0;
  for (let i = prefix; i < values.length; i++) if (values[i] > top) top = values[i];
  return top;
}

function quantileOf(values, prefix, share) {
  const sorted = Float32Array.from(values.subarray(prefix)).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

// What the colours mean: `high` is the weight of the brightest colour, `low` that of the darkest.
function scaleFor(kind, maps, prefix) {
  let top = 0;
  let clip = 0;
  for (const values of maps) {
    top = Math.max(top, largestOf(values, prefix));
    clip = Math.max(clip, quantileOf(values, prefix, 0.99));
  }
  if (kind === 'clipped' && clip > 0) return { kind, high: clip, low: 0, top };
  if (kind === 'log') return { kind, high: top, low: top / 1000, top };
  return { kind: 'linear', high: top, low: 0, top };
}

function place(value, scale) {
  if (!(scale.high > 0)) return 0;
  const t = scale.kind === 'log' ? Math.log(Math.max(value, scale.low) / scale.low) / Math.log(1000) : value / scale.high;
  return Math.min(1, Math.max(0, t));
}

// A map as a tiny image, one pixel per patch. With `veil`, low weights let the photo through.
function mapImage(values, prefix, [rows, cols], scale, table, opacity, veil) {
  const tiny = document.createElement('canvas');
  tiny.width = cols;
  tiny.height = rows;
  const pen = tiny.getContext('2d');
  const image = pen.createImageData(cols, rows);
  for (let i = 0; i < rows * cols; i++) {
    const t = place(values[prefix + i], scale);
    const code = Math.round(255 * t);
    image.data[4 * i] = table[3 * code];
    image.data[4 * i + 1] = table[3 * code + 1];
    image.data[4 * i + 2] = table[3 * code + 2];
    image.data[4 * i + 3] = Math.round(255 * opacity * (veil ? 0.35 + 0.65 * Math.sqrt(t) : 1));
  }
  pen.putImageData(image, 0, 0);
  return tiny;
}

function outline(pen, box, colour, width) {
  pen.lineWidth = width + 2;
  pen.strokeStyle = 'rgba(0, 0, 0, .65)';
  pen.strokeRect(...box);
  pen.lineWidth = width;
  pen.strokeStyle = colour;
  pen.strokeRect(...box);
}

// A colour map as the stops of a gradient, darkest first.
function stopsOf(table) {
  const codes = Array.from({ length: 18 }, (_, i) => 15 * i);
  return codes.map((code) => `rgb(${table[3 * code]}, ${table[3 * code + 1]}, ${table[3 * code + 2]})`);
}

function drawSmall(canvas, values, prefix, grid, scale, table) {
  const tiny = mapImage(values, prefix, grid, scale, table, 1, false);
  canvas.width = tiny.width;
  canvas.height = tiny.height;
  canvas.getContext('2d').drawImage(tiny, 0, 0);
}
