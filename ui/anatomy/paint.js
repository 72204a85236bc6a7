// Numbers as colours: orange above zero, blue below, clear at zero, on whatever the page's background is.

const isDark = () => document.body.classList.contains('dark');

function inks() {
  return isDark() ? { above: [251, 146, 60], below: [96, 165, 250] } : { above: [194, 65, 12], below: [29, 78, 156] };
}

function canvasOf(width, height, className) {
  const canvas = node('canvas', undefined, { class: className || '' });
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// `at(i)` is between -1 and 1 for each of width × height cells.
function signedCanvas(width, height, at, className) {
  const canvas = canvasOf(width, height, className);
  const pen = canvas.getContext('2d');
  const image = pen.createImageData(width, height);
  const { above, below } = inks();
  for (let i = 0; i < width * height; i++) {
    const t = Math.max(-1, Math.min(1, at(i)));
    const ink = t >= 0 ? above : below;
    image.data[4 * i] = ink[0];
    image.data[4 * i + 1] = ink[1];
    image.data[4 * i + 2] = ink[2];
    image.data[4 * i + 3] = Math.round(255 * Math.abs(t) ** 0.8);
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

const reachOf = (values) => {
  const sorted = Float32Array.from(values, Math.abs).sort();
  return sorted[Math.max(0, Math.ceil(0.995 * sorted.length) - 1)] || 1;
};

// A tensor [rows columns] from its codes; the chosen row is marked at both sides.
function sheetPicture({ data, shape, scale }, { mark = -1, title, of, height = 190 }) {
  const [rows, cols] = shape;
  const box = node('div', undefined, { class: 'an-sheet' });
  box.append(signedCanvas(cols, rows, (i) => (data[i] - 128) / 127, 'an-crisp'));
  box.firstChild.style.height = `${height}px`;
  box.firstChild.setAttribute('role', 'img');
  box.firstChild.setAttribute('aria-label', `${title}: ${rows} rows of numbers as colours`);
  if (mark >= 0 && mark < rows) {
    const line = node('i', undefined, { 'aria-hidden': 'true' });
    line.style.top = `${(100 * (mark + 0.5)) / rows}%`;
    box.append(line);
  }
  const part = of && (of[0] > rows || of[1] > cols) ? `first ${of[0] > rows ? `${rows} of ${of[0]} tokens, ` : ''}${cols} of ${of[1]} numbers` : '';
  return captioned(box, title, [part, `strongest colour ±${figure(scale)}`].filter(Boolean).join(' · '));
}

// One row of numbers as colours, with what it is on the left and a figure about it on the right.
function strip(label, values, { scale, parts = 0, right, count = 5, before } = {}) {
  const made = node('div', undefined, { class: 'an-strip' });
  const top = scale || reachOf(values);
  const canvas = signedCanvas(values.length, 1, (i) => values[i] / top, 'an-crisp');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${label}: ${some(values, 3)}`);
  const bar = node('div', undefined, { class: 'an-band' });
  bar.append(canvas);
  for (let i = 1; i < parts; i++) {
    const cut = node('i', undefined, { 'aria-hidden': 'true' });
    cut.style.left = `${(100 * i) / parts}%`;
    bar.append(cut);
  }
  const name = node('span', label, { class: 'an-label' });
  if (before) name.prepend(before);
  made.append(name, bar);
  const line = node('div', undefined, { class: 'an-numbers' });
  if (count) line.append(node('code', some(values, count)));
  line.append(node('span', right === undefined ? `length ${figure(lengthOf(values))}` : right));
  made.append(line);
  return made;
}

function captioned(content, title, note) {
  const made = node('figure', undefined, { class: 'an-fig' });
  const caption = node('figcaption');
  if (title) caption.append(node('b', title));
  if (note) caption.append(node('span', note));
  made.append(content, caption);
  return made;
}

// The crop with whatever lies over it; a click chooses a patch. `values` [patches] are drawn as a map.
function photoPicture(view, { values, table = 'inferno', grid = true, title, note, chosen = true, range = null, pick = true }) {
  const [rows, cols] = view.facts.grid;
  const unit = Math.max(1, Math.round(512 / Math.max(rows, cols)));
  const [width, height] = [cols * unit, rows * unit];
  const canvas = canvasOf(width, height, 'an-photo');
  const pen = canvas.getContext('2d');
  pen.imageSmoothingQuality = 'high';
  if (values) pen.filter = 'grayscale(.75) brightness(.62)';
  pen.drawImage(view.crop, 0, 0, width, height);
  pen.filter = 'none';
  if (values) {
    pen.imageSmoothingEnabled = false;
    const [low, high] = range || [0, scaleFor('clipped', [values], 0).high];
    const placed = Float32Array.from(values, (v) => (v - low) / (high - low || 1));
    pen.drawImage(mapImage(placed, 0, [rows, cols], { kind: 'linear', high: 1, low: 0 }, TABLES[table], 0.85, !range), 0, 0, width, height);
  }
  if (grid && unit > 5) {
    pen.strokeStyle = values ? 'rgba(255,255,255,.16)' : 'rgba(255,255,255,.5)';
    pen.beginPath();
    for (let c = 1; c < cols; c++) { pen.moveTo(c * unit + 0.5, 0); pen.lineTo(c * unit + 0.5, height); }
    for (let r = 1; r < rows; r++) { pen.moveTo(0, r * unit + 0.5); pen.lineTo(width, r * unit + 0.5); }
    pen.stroke();
  }
  if (chosen) outline(pen, [(view.patch % cols) * unit, Math.floor(view.patch / cols) * unit, unit, unit], '#fff', 3);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', title || 'The photo in patches');
  if (pick) {
    canvas.classList.add('an-pick');
    canvas.addEventListener('click', (event) => {
      const box = canvas.getBoundingClientRect();
      const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      if (row >= 0 && col >= 0 && row < rows && col < cols) choose({ query: view.facts.prefix.length + row * cols + col });
    });
  }
  return captioned(canvas, title, note);
}

// Bytes [3 H W] as a picture.
function bytesPicture({ data, shape: [, height, width] }) {
  const canvas = canvasOf(width, height, 'an-photo');
  const pen = canvas.getContext('2d');
  const image = pen.createImageData(width, height);
  const plane = width * height;
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[c * plane + i];
    image.data[4 * i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

// One patch [C P P] of the coloured bytes, every pixel a square.
function patchPicture(view, patch, size) {
  const P = view.facts.patch;
  const codes = rowOf(view.colours.patches, patch);
  const canvas = bytesPicture({ data: codes, shape: [3, P, P] });
  canvas.className = 'an-crisp an-patch';
  canvas.style.width = canvas.style.height = `${size}px`;
  return canvas;
}

// The numbers that the model's input has for the bytes of one patch [C*P*P], channel by channel.
function patchNumbers(view, patch) {
  const area = view.facts.patch ** 2;
  const levels = view.colours.levels.data;
  return Float32Array.from(rowOf(view.colours.patches, patch), (code, i) => levels[256 * Math.floor(i / area) + code]);
}
