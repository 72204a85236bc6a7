// Pictures of the first chapter: from the photo to the tokens that enter the first block. Each takes the view.

const DRAW = {};

function wholePhoto(view, box) {
  const [width, height] = view.value.photo_size;
  const image = view.photo;
  const canvas = canvasOf(image.naturalWidth, image.naturalHeight, 'an-whole');
  const pen = canvas.getContext('2d');
  const share = image.naturalWidth / width;
  if (box) pen.filter = 'brightness(.4) grayscale(.6)';
  pen.drawImage(image, 0, 0);
  pen.filter = 'none';
  if (box) {
    const [x, y, w, h] = [box[0] * share, box[1] * share, (box[2] - box[0]) * share, (box[3] - box[1]) * share];
    pen.drawImage(image, x, y, w, h, x, y, w, h);
    pen.strokeStyle = '#fff';
    pen.lineWidth = 2;
    pen.strokeRect(x + 1, y + 1, Math.max(1, w - 2), Math.max(1, h - 2));
  }
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `The photo, ${width} by ${height} pixels`);
  return canvas;
}

DRAW.photo = (view) => {
  const [width, height] = view.value.photo_size;
  const { middle } = view.colours;
  const [, rows, cols] = middle.shape;
  const close = bytesPicture(middle);
  close.className = 'an-crisp an-close';
  const planes = ['red', 'green', 'blue'].map((name, c) => captioned(plane(rowOf({ data: middle.data, shape: [3, rows * cols] }, c), cols, c), capital(name)));
  return [
    captioned(wholePhoto(view), 'Your photo', `${height} × ${width} pixels × 3 colours = ${(height * width * 3).toLocaleString('en')} numbers`),
    beside('four', captioned(close, `${rows} × ${cols} pixels`, 'from the middle'), ...planes),
  ];
};

// Bytes of one colour as a table of numbers.
function plane(values, cols, channel) {
  const table = node('table', undefined, { class: 'an-grid' });
  const ink = [[220, 60, 50], [50, 150, 70], [50, 100, 220]][channel];
  for (let i = 0; i < values.length; i += cols) {
    const line = node('tr');
    for (const value of values.slice(i, i + cols)) {
      const cell = node('td', value);
      cell.style.background = `rgba(${ink.join(',')},${(0.5 * value) / 255})`;
      line.append(cell);
    }
    table.append(line);
  }
  return table;
}

DRAW.crop = (view) => {
  const [left, top, right, bottom] = view.value.box;
  const [w, h] = view.facts.size;
  return [
    beside('wide-first',
      captioned(wholePhoto(view, view.value.box), 'What is kept', `${Math.round(bottom - top)} × ${Math.round(right - left)} pixels of the original`),
      photoPicture(view, { grid: false, chosen: false, pick: false, title: 'What the model is given', note: `${h} × ${w} pixels` })),
  ];
};

DRAW.normalise = (view) => {
  const { facts, colours } = view;
  const [cols, P] = [facts.grid[1], facts.patch];
  const [W, H] = facts.size;
  const names = ['red', 'green', 'blue'];
  const most = Math.max(...colours.levels.data.map(Math.abs));
  const planes = names.map((name, c) => {
    const at = (i) => {
      const [y, x] = [Math.floor(i / W), i % W];
      const row = rowOf(colours.patches, Math.floor(y / P) * cols + Math.floor(x / P));
      return colours.levels.data[256 * c + row[(c * P + (y % P)) * P + (x % P)]] / most;
    };
    return captioned(signedCanvas(W, H, at, 'an-photo'), capital(name), `μ ${facts.mean[c].toFixed(3)} · σ ${facts.std[c].toFixed(3)}`);
  });
  const codes = rowOf(colours.patches, view.patch);
  const sums = names.map((name, c) => {
    const code = codes[c * P * P];
    return node('code', `${name}: (${code} / 255 − ${facts.mean[c].toFixed(3)}) / ${facts.std[c].toFixed(3)} = ${figure(colours.levels.data[256 * c + code])}`);
  });
  return [
    beside('three', ...planes),
    note(`Orange is above the mean, blue below. The first pixel of the chosen patch, ${placeOf(facts, view.query < facts.prefix.length ? facts.prefix.length + view.patch : view.query)}:`),
    stack(...sums),
  ];
};

DRAW.patches = (view) => {
  const { facts } = view;
  const [rows, cols] = facts.grid;
  const row = Math.floor(view.patch / cols);
  const col = view.patch % cols;
  const near = [view.patch, row * cols + ((col + 1) % cols), ((row + 1) % rows) * cols + col];
  const each = [...new Set(near)].map((patch) => {
    const made = node('div', undefined, { class: 'an-one' });
    const words = node('div');
    words.append(node('b', capital(placeOf(facts, facts.prefix.length + patch))), node('code', some(patchNumbers(view, patch), 4)));
    made.append(patchPicture(view, patch, 88), words);
    return made;
  });
  return [beside('wide-first', photoPicture(view, { title: `${rows} × ${cols} patches`, note: 'click one to choose it' }),
    captioned(stack(...each), 'Three of them', 'the first numbers of each, normalised'))];
};

DRAW.flatten = (view) => {
  const { facts, colours } = view;
  const [count, long] = colours.patches.shape;
  const P2 = facts.patch ** 2;
  const most = Math.max(...colours.levels.data.map(Math.abs));
  const shown = Math.min(count, 400);
  const at = (i) => colours.levels.data[256 * Math.floor((i % long) / P2) + colours.patches.data[i]] / most;
  const box = node('div', undefined, { class: 'an-sheet' });
  box.append(signedCanvas(long, shown, at, 'an-crisp'));
  box.firstChild.style.height = '200px';
  if (view.patch < shown) {
    const line = node('i');
    line.style.top = `${(100 * (view.patch + 0.5)) / shown}%`;
    box.append(line);
  }
  return [
    captioned(box, `${count} rows of ${long} numbers`, shown < count ? `the first ${shown} rows` : 'one line per patch; red, green, blue from left to right'),
    strip('chosen patch', patchNumbers(view, view.patch), { scale: most, parts: facts.channels, count: 6, right: `${long} numbers` }),
    twoSizes(count, long),
  ];
};

// The model's table of patches and the text's, to scale.
function twoSizes(rows, cols) {
  const unit = 300 / Math.max(cols, 768, rows);
  const width = 640;
  const height = Math.max(rows, 196) * unit + 24;
  const plot = svgNode('svg', { viewBox: `0 0 ${width} ${height}`, class: 'an-chart', role: 'img', 'aria-label': `${rows} × ${cols} here, 196 × 768 in the text, to scale` });
  [[rows, cols, 'here', 'mine'], [196, 768, 'in the text', 'theirs']].forEach(([r, c, name, kind], i) => {
    plot.append(svgNode('rect', { x: 320 * i + 1, y: 18, width: c * unit - 2, height: r * unit, class: `size ${kind}` }));
    plot.append(svgNode('text', { x: 320 * i + 1, y: 12 }, `${name}: ${r} × ${c}`));
  });
  return plot;
}

DRAW.project = (view) => {
  const { facts, still, choice } = view;
  const [count, , P] = still.filters.shape;
  const size = 3 * P * P;
  const filters = node('div', undefined, { class: 'an-filters' });
  for (let i = 0; i < count; i++) {
    const canvas = bytesPicture({ data: still.filters.data.subarray(i * size, (i + 1) * size), shape: [3, P, P] });
    canvas.className = 'an-crisp';
    filters.append(canvas);
  }
  const check = node('div', undefined, { class: 'an-check' });
  check.append(node('span', 'largest difference between the convolution and flatten-and-multiply'), node('b', figure(facts.difference)),
    node('span', facts.difference === 0 ? 'none at all' : `rounding: the largest of the numbers themselves is ${figure(facts.largest)}`));
  return [
    beside('even',
      captioned(filters, `${count} of ${facts.width} learned patterns`, 'columns of E, each in its own range of colours'),
      sheetPicture(still.projected, { mark: view.patch, title: `${facts.patches} rows of ${facts.width} numbers`, of: [facts.patches, facts.width], height: 170 })),
    strip('chosen patch', choice.row_patch.data, { count: 6 }),
    check,
  ];
};

DRAW.prefix = (view) => {
  const { facts, still, choice } = view;
  const row = node('div', undefined, { class: 'an-row', 'aria-hidden': 'true' });
  const few = Math.min(facts.patches, 7);
  row.append(...facts.prefix.map((name) => node('span', name.replace(' token', ''), { class: 'front' })));
  for (let i = 0; i < few; i++) row.append(patchPicture(view, i, 34));
  row.append(node('span', `… ${facts.patches} patches`, { class: 'rest' }));
  const tokens = facts.patches + facts.prefix.length;
  return [
    captioned(row, `${facts.prefix.length} + ${facts.patches} = ${tokens} tokens`),
    ...facts.prefix.slice(0, 5).map((name, i) => strip(name, rowOf(still.prefix, i), { count: 6 })),
    strip('chosen patch', choice.row_patch.data, { count: 6 }),
    sheetPicture(still.prefixed, { mark: view.query, title: 'All tokens', of: [tokens, facts.width], height: 130 }),
  ];
};

DRAW.positions = (view) => {
  const { facts, still, choice } = view;
  const patches = (array) => array.data.subarray(facts.prefix.length);
  const tokens = facts.patches + facts.prefix.length;
  const top = reachOf(choice.row_embedded.data);
  const three = [
    strip('token', choice.row_prefixed.data, { scale: top }), sign('+'), strip('position', choice.row_positions.data, { scale: top }), sign('='),
    strip('sum', Float32Array.from(choice.row_prefixed.data, (v, i) => v + choice.row_positions.data[i]), { scale: top }),
  ];
  return [
    beside(choice.fixed ? 'even' : 'one',
      likeness(view, patches(choice.positions), facts.learned ? 'Learned' : 'This model’s own'),
      choice.fixed && likeness(view, patches(choice.fixed), 'Fixed sine-cosine')),
    beside(still.fixed ? 'even' : 'one',
      sheetPicture(still.positions, { mark: view.query, title: 'Their rows', of: [tokens, facts.width], height: 80 }),
      still.fixed && sheetPicture(still.fixed, { mark: view.query, title: 'Their rows', of: [tokens, facts.width], height: 80 })),
    stack(...three),
  ];
};

function likeness(view, values, title) {
  const low = Math.min(...values);
  return photoPicture(view, { values, range: [low, 1], table: 'viridis', title, note: `likeness to the chosen place: dark ${figure(low)}, bright 1` });
}
