// From numbers to pixels: the photo under its map, the crop, the picture for download.

let backdrop = null; // the photo as it stands under a map, kept because filters are slow
let onePixelEach = null; // the map as an image of one pixel per patch

function backdropOf(photo, width, height) {
  if (!backdrop || backdrop.photo !== photo || backdrop.canvas.width !== width || backdrop.canvas.height !== height) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const pen = canvas.getContext('2d');
    pen.imageSmoothingQuality = 'high';
    pen.filter = 'grayscale(.75) brightness(.62)';
    pen.drawImage(photo, 0, 0, width, height);
    backdrop = { photo, canvas };
  }
  return backdrop.canvas;
}

// The photo, darkened and desaturated by the same amount whatever the map, then the map, the grid and the query.
function drawPicture(pen, width, height, view) {
  const [rows, cols] = view.grid;
  const cell = [width / cols, height / rows];
  const mapped = view.values && view.opacity > 0;
  pen.clearRect(0, 0, width, height);
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(mapped ? backdropOf(view.photo, width, height) : view.photo, 0, 0, width, height);
  if (mapped) {
    pen.imageSmoothingEnabled = view.smooth;
    onePixelEach ||= document.createElement('canvas');
    mapImage(view.values, view.prefix, view.grid, view.scale, view.table, view.opacity, true, onePixelEach);
    pen.drawImage(onePixelEach, 0, 0, width, height);
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
  for (const sink of view.sinks) if (sink >= view.prefix) cross(pen, box(sink), Math.max(1, line / 2));
  if (view.pointed >= view.prefix && view.pointed !== view.query) outline(pen, box(view.pointed), 'rgba(255,255,255,.8)', 1);
  if (view.query >= view.prefix) outline(pen, box(view.query), '#fff', line);
}

// A patch that was left out.
function cross(pen, [x, y, w, h], width) {
  pen.lineWidth = width;
  pen.strokeStyle = 'rgba(255, 255, 255, .7)';
  pen.beginPath();
  pen.moveTo(x + w * 0.3, y + h * 0.3);
  pen.lineTo(x + w * 0.7, y + h * 0.7);
  pen.moveTo(x + w * 0.7, y + h * 0.3);
  pen.lineTo(x + w * 0.3, y + h * 0.7);
  pen.stroke();
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

// What is seen, each picture `side` pixels wide, above lines that say what it is.
function drawExport(views, side, caption) {
  const [rows, cols] = views[0].grid;
  const height = Math.round((side * rows) / cols);
  const gap = views.length > 1 ? 16 : 0;
  const width = views.length * side + gap;
  const narrow = width < 720; // the bar then stands below the words
  const foot = 56 + 22 * views.length + (narrow ? 56 : 0);
  const canvas = Object.assign(document.createElement('canvas'), { width, height: height + foot });
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#16161a';
  pen.fillRect(0, 0, width, height + foot);
  views.forEach((view, i) => {
    const one = Object.assign(document.createElement('canvas'), { width: side, height });
    drawPicture(one.getContext('2d'), side, height, view);
    pen.drawImage(one, i * (side + gap), 0);
  });
  const room = narrow ? width - 48 : width - 320;
  pen.fillStyle = '#f4f4f5';
  pen.font = '15px system-ui, sans-serif';
  caption.what.forEach((line, i) => pen.fillText(line, 24, height + 32 + 22 * i, room));
  pen.fillStyle = '#a1a1aa';
  pen.font = '13px system-ui, sans-serif';
  pen.fillText(caption.how, 24, height + 32 + 22 * views.length, room);
  const [x, y, w] = [narrow ? 24 : width - 244, height + (narrow ? foot - 56 : 18), 220];
  const ramp = pen.createLinearGradient(x, 0, x + w, 0);
  stopsOf(views[0].table).forEach((colour, i, all) => ramp.addColorStop(i / (all.length - 1), colour));
  pen.fillStyle = ramp;
  pen.fillRect(x, y, w, 14);
  pen.fillStyle = '#a1a1aa';
  pen.fillText(caption.low, x, y + 34);
  if (caption.even !== null) {
    pen.fillStyle = '#fff';
    pen.fillRect(x + caption.even * w - 1, y - 3, 2, 20);
    if (caption.even > 0.25 && caption.even < 0.7) pen.fillText('even', x + caption.even * w - 12, y + 34);
  }
  pen.fillStyle = '#a1a1aa';
  pen.textAlign = 'right';
  pen.fillText(caption.high, x + w, y + 34);
  return canvas;
}
