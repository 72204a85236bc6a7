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

// What the colours mean: `high` is the weight of the brightest colour, `low` that of the darkest. `steps` of a percentile
// scale are 101 quantiles: the colour says how many per cent of the weights are smaller.
function scaleFor(kind, maps, prefix) {
  if (kind === 'percentile') return scaleOf(kind, quantilesOf(maps, prefix));
  let top = 0;
  let clip = 0;
  for (const values of maps) {
    top = Math.max(top, largestOf(values, prefix));
    if (kind === 'clipped') clip = Math.max(clip, quantileOf(values, prefix, 0.99));
  }
  return scaleOf(kind, { 99: clip, 100: top });
}

// The scale of weights of which the quantiles are known, the smallest at 0 and the largest at 100.
function scaleOf(kind, steps) {
  const top = steps[100];
  if (kind === 'percentile') return { kind, high: top, low: steps[0], top, steps };
  if (kind === 'clipped' && steps[99] > 0) return { kind, high: steps[99], low: 0, top };
  if (kind === 'log') return { kind, high: top, low: top / 1000, top };
  return { kind: 'linear', high: top, low: 0, top };
}

function quantilesOf(maps, prefix) {
  const all = new Float32Array(maps.reduce((count, values) => count + values.length - prefix, 0));
  let at = 0;
  for (const values of maps) {
    all.set(values.subarray(prefix), at);
    at += values.length - prefix;
  }
  all.sort();
  return Float32Array.from({ length: 101 }, (_, i) => all[Math.round((i / 100) * (all.length - 1))]);
}

// Where a weight stands between the darkest (0) and the brightest colour (1).
function place(value, scale) {
  if (!(scale.high > 0)) return 0;
  if (scale.kind === 'percentile') {
    let [low, high] = [0, 100];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (scale.steps[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return low / 100;
  }
  const t = scale.kind === 'log' ? Math.log(Math.max(value, scale.low) / scale.low) / Math.log(1000) : value / scale.high;
  return Math.min(1, Math.max(0, t));
}

// The weight whose colour stands at `t`: the numbers beside a colour bar.
function weightAt(t, scale) {
  if (scale.kind === 'percentile') return scale.steps[Math.round(100 * t)];
  return scale.kind === 'log' ? scale.low * 1000 ** t : t * scale.high;
}

// Colours of a map into `image`, one pixel per patch. With `veil`, low weights let the photo through.
function paint(image, values, prefix, scale, table, opacity, veil) {
  const { data } = image;
  for (let i = 0, at = 0; at < data.length; i++, at += 4) {
    const t = place(values[prefix + i], scale);
    const code = 3 * Math.round(255 * t);
    data[at] = table[code];
    data[at + 1] = table[code + 1];
    data[at + 2] = table[code + 2];
    data[at + 3] = veil ? Math.round(255 * opacity * (0.35 + 0.65 * Math.sqrt(t))) : 255 * opacity;
  }
  return image;
}

// A map as a tiny image, one pixel per patch; `tiny` is a canvas to be used again.
function mapImage(values, prefix, [rows, cols], scale, table, opacity, veil, tiny = document.createElement('canvas')) {
  if (tiny.width !== cols || tiny.height !== rows) [tiny.width, tiny.height] = [cols, rows];
  const pen = tiny.getContext('2d');
  pen.putImageData(paint(pen.createImageData(cols, rows), values, prefix, scale, table, opacity, veil), 0, 0);
  return tiny;
}

function drawSmall(canvas, values, prefix, grid, scale, table) {
  mapImage(values, prefix, grid, scale, table, 1, false, canvas);
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
