// Pictures of one photo: under a map, and with patches covered or uncovered in a map's order.

function mapFrom(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer); // little-endian, as all browsers are
}

// Patches by falling value, equal values in reading order: the order in which the server changed them.
const orderOf = (values) => [...values.keys()].sort((a, b) => values[b] - values[a]);

// The same kind of scale for every method: from its own 2nd to its own 98th percentile, as 0 … 1.
function spread(values) {
  const sorted = Float32Array.from(values).sort();
  const at = (share) => {
    const x = share * (sorted.length - 1);
    const below = Math.floor(x);
    return sorted[below] + (x - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
  };
  const [low, high] = [at(0.02), at(0.98)];
  return { low, high, shares: values.map((v) => (high > low ? Math.min(1, Math.max(0, (v - low) / (high - low))) : 0)) };
}

function drawMap(pen, width, height, photo, shares, grid) {
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = 'high';
  pen.filter = 'grayscale(.75) brightness(.62)';
  pen.drawImage(photo, 0, 0, width, height);
  pen.filter = 'none';
  pen.drawImage(mapImage(shares, 0, grid, { kind: 'linear', low: 0, high: 1 }, TABLES.inferno, 0.8, true), 0, 0, width, height);
}

function boxOf(patch, [rows, cols], width, height) {
  const [row, col] = [Math.floor(patch / cols), patch % cols];
  const [x, y] = [Math.round((col * width) / cols), Math.round((row * height) / rows)];
  return [x, y, Math.round(((col + 1) * width) / cols) - x, Math.round(((row + 1) * height) / rows) - y];
}

// The first `count` patches of the order covered with one colour.
function drawDeleted(pen, width, height, photo, order, count, grid, [red, green, blue]) {
  pen.drawImage(photo, 0, 0, width, height);
  pen.fillStyle = `rgb(${red}, ${green}, ${blue})`;
  for (const patch of order.slice(0, count)) pen.fillRect(...boxOf(patch, grid, width, height));
}

// The blurred photo, with the first `count` patches of the order sharp.
function drawInserted(pen, width, height, photo, blurred, order, count, grid) {
  pen.drawImage(blurred, 0, 0, width, height);
  pen.save();
  pen.beginPath();
  for (const patch of order.slice(0, count)) pen.rect(...boxOf(patch, grid, width, height));
  pen.clip();
  pen.drawImage(photo, 0, 0, width, height);
  pen.restore();
}

function sized(canvas, [rows, cols]) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round((width * rows) / cols);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return [canvas.getContext('2d'), width, height];
}

function saveBlob(blob, name) {
  const link = node('a', undefined, { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A map over the photo, above lines that say what it is.
function drawPlate(photo, shares, grid, lines) {
  const width = 896;
  const height = Math.round((width * grid[0]) / grid[1]);
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height + 24 + 24 * lines.length;
  const pen = canvas.getContext('2d');
  drawMap(pen, width, height, photo, shares, grid);
  pen.fillStyle = '#16161a';
  pen.fillRect(0, height, width, canvas.height - height);
  lines.forEach((line, i) => {
    pen.fillStyle = i ? '#a1a1aa' : '#f4f4f5';
    pen.font = `${i ? 14 : 16}px system-ui, sans-serif`;
    pen.fillText(line, 24, height + 32 + 24 * i, width - 48);
  });
  return canvas;
}
