// From files to named arrays, and numbers to words. Nothing here draws.

const opened = new Map(); // address → promise of named arrays, so that what has not changed is not fetched again

// gzip of: header length as uint32, the header in JSON, then each array at its offset behind the header.
async function unpackFile(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(reply.status === 403 || reply.status === 404 ? 'expired' : 'unreachable');
  const raw = await new Response(reply.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  const start = 4 + new DataView(raw).getUint32(0, true);
  const arrays = {};
  for (const { name, kind, shape, at, scale } of JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 4, start - 4)))) {
    const count = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { shape, scale, data: kind === 'u1' ? new Uint8Array(raw, start + at, count) : new Float32Array(raw, start + at, count) };
  }
  return arrays;
}

async function pictureOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function fetchOnce(file) {
  if (!opened.has(file.url)) {
    const got = file.mime_type && file.mime_type.startsWith('image/') ? pictureOf(file.url) : unpackFile(file.url);
    opened.set(file.url, got);
    got.catch(() => opened.delete(file.url));
    if (opened.size > 60) opened.delete(opened.keys().next().value);
  }
  return opened.get(file.url);
}

// One row of an array [rows columns].
const rowOf = ({ data, shape }, row) => data.subarray(row * shape.at(-1), (row + 1) * shape.at(-1));

const lengthOf = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
const meanOf = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

function deviationOf(values) {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}

const POWERS = { '-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹' };

// A number with about three digits and a true minus sign.
function figure(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return 'not a number';
  if (size > 0 && (size < 0.0005 || size >= 1e6)) {
    const [digits, power] = value.toExponential(1).split('e');
    return `${digits} · 10${[...String(+power)].map((c) => POWERS[c]).join('')}`.replace('-', '−');
  }
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size < 0.005 && size > 0 ? value.toFixed(4) : value.toFixed(2);
  return (/^-0\.?0*$/.test(text) ? text.slice(1) : text).replace('-', '−');
}

const short = (value) => (Math.abs(value) < 0.01 ? value.toFixed(4).replace(/^-?0\.0000$/, '0.00').replace('-', '−') : figure(value));
const some = (values, count) => `${Array.from(values.slice(0, count), short).join('  ')}${values.length > count ? '  …' : ''}`;

const placeOf = (facts, token) => {
  if (token < facts.prefix.length) return facts.prefix[token];
  const i = token - facts.prefix.length;
  return `row ${Math.floor(i / facts.grid[1]) + 1}, column ${(i % facts.grid[1]) + 1}`;
};
const nameOf = (facts, token) => (token < facts.prefix.length ? `the ${facts.prefix[token]}` : `the patch in ${placeOf(facts, token)}`);
