// From numbers to pixels: the photo under its map, the crop, the picture for download.

// The photo, darkened and desaturated by the same amount whatever the map, then the map, the grid and the query.
function drawPicture(pen, width, height, view) {
  const [rows, cols] = view.grid;
  const cell = [width / cols, height / rows];
  pen.clearRect(0, 0, width, height);
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = 'high';
  pen.filter = view.values && view.opacity > 0 ? 'grayscale(.75) brightness(.62)' : 'none';
  pen.drawImage(view.photo, 0, 0, width, height);
  pen.filter = 'none';
  if (view.values && view.opacity > 0) {
    pen.imageSmoothingEnabled = view.smooth;
    const tiny = mapImage(view.values, view.prefix, view.grid, view.scale, view.table, view.opacity, true);
    pen.drawImage(tiny, 0, 0, width, height);
  }
  if (view.lines) {
    pen.strokeStyle = 'rgba(255, 255, 255, .28)';
    pen.lineWidth = 1;
    pen.beginPath();
    for (let c = 1; c < cols; c++) { const x = Math.round(c * cell[0]) + 0.5; pen.moveTo(x, 0); pen.lineTo(x, height); }
    for (let r = 1; r < rows; r++) { const y = Math.round(r * cell[1]) + 0.5; pen.moveTo(0, y); pen.lineTo(width, y); }
    pen.stroke();
  }
  const box = (token) => {
    const i = token - view.prefix;
    return [(i % cols) * cell[0], Math.floor(i / cols) * cell[1], cell[0], cell[1]];
  };
  const line = Math.max(2, width / 220);
  if (view.pointed >= view.prefix && view.pointed !== view.query) outline(pen, box(view.pointed), 'rgba(255,255,255,.8)', 1);
  if (view.query >= view.prefix) outline(pen, box(view.query), '#fff', line);
}

// The whole photo, dim, with the part that the model saw at full brightness.
function drawCrop(canvas, photo, [width, height], [left, top, right, bottom]) {
  const ratio = window.devicePixelRatio || 1;
  const fit = Math.min(112 / width, 84 / height) * ratio;
  canvas.width = Math.max(1, Math.round(width * fit));
  canvas.height = Math.max(1, Math.round(height * fit));
  canvas.style.width = `${canvas.width / ratio}px`;
  const pen = canvas.getContext('2d');
  pen.filter = 'brightness(.4) grayscale(.6)';
  pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  pen.filter = 'none';
  const [sx, sy] = [photo.naturalWidth / width, photo.naturalHeight / height];
  const [w, h] = [right - left, bottom - top];
  pen.drawImage(photo, left * sx, top * sy, w * sx, h * sy, left * fit, top * fit, w * fit, h * fit);
  pen.strokeStyle = '#fff';
  pen.lineWidth = ratio;
  pen.strokeRect(left * fit + ratio / 2, top * fit + ratio / 2, Math.max(1, w * fit - ratio), Math.max(1, h * fit - ratio));
}

// What is seen, at twice the size, above a line that says what it is.
function drawExport(view, caption) {
  const [rows, cols] = view.grid;
  const width = 896;
  const height = Math.round((width * rows) / cols);
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height + 72;
  const pen = canvas.getContext('2d');
  drawPicture(pen, width, height, view);
  pen.fillStyle = '#16161a';
  pen.fillRect(0, height, width, 72);
  const ramp = pen.createLinearGradient(width - 244, 0, width - 24, 0);
  stopsOf(view.table).forEach((colour, i, all) => ramp.addColorStop(i / (all.length - 1), colour));
  pen.fillStyle = ramp;
  pen.fillRect(width - 244, height + 16, 220, 14);
  pen.fillStyle = '#f4f4f5';
  pen.font = '15px system-ui, sans-serif';
  pen.fillText(caption.what, 24, height + 30, width - 300);
  pen.fillStyle = '#a1a1aa';
  pen.font = '13px system-ui, sans-serif';
  pen.fillText(caption.how, 24, height + 54, width - 300);
  pen.fillText(caption.low, width - 244, height + 54);
  pen.textAlign = 'right';
  pen.fillText(caption.high, width - 24, height + 54);
  return canvas;
}
