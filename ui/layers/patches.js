// What each patch says: the head applied to single patches, as a map of one class and as each patch's own word.

const classMap = () => detail.class_maps[detail.classes.indexOf(view.chosen)][view.depth];

function paintMap(canvas, values, scale, marks = []) {
  const ratio = window.devicePixelRatio || 1;
  const [rows, cols] = data.grid;
  const width = Math.round((canvas.clientWidth || 320) * ratio);
  canvas.width = width;
  canvas.height = Math.round((width * rows) / cols);
  const pen = canvas.getContext('2d');
  pen.imageSmoothingQuality = 'high';
  pen.filter = 'grayscale(.75) brightness(.62)';
  pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
  pen.filter = 'none';
  pen.drawImage(mapImage(values, 0, data.grid, scale, TABLES.inferno, 0.8, true), 0, 0, canvas.width, canvas.height);
  const [w, h] = [canvas.width / cols, canvas.height / rows];
  for (const patch of marks) outline(pen, [(patch % cols) * w, Math.floor(patch / cols) * h, w, h], '#fff', Math.max(1, ratio));
}

function chooseClass(index) {
  if (detail.classes.includes(index)) {
    view.chosen = index;
    showPatches();
  } else {
    view.wanted = index;
    find('patch-sentence').textContent = `Asking every patch about “${detail.labels[index]}” …`;
    trigger('ask', { index });
  }
}

function showPatches() {
  const none = data.no_patches;
  find('no-patches').textContent = none;
  for (const role of ['no-patches', 'patch-stage', 'patch-words', 'patch-strip']) find(role).hidden = (role === 'no-patches') !== !!none;
  if (none) return;
  const values = classMap();
  const scale = scaleFor('linear', [values], 0);
  paintMap(find('patch-picture'), values, scale, view.patch >= 0 ? [view.patch] : []);
  find('patch-ramp').style.setProperty('--colours', stopsOf(TABLES.inferno));
  find('patch-high').textContent = percent(scale.high);
  find('classes').replaceChildren(...detail.classes.map((index) => node('button', detail.labels[index], {
    type: 'button', 'data-class': index, 'aria-pressed': String(index === view.chosen),
  })));
  const counts = new Map();
  for (const index of detail.says[view.depth]) counts.set(index, (counts.get(index) || 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
  find('most').replaceChildren(...most.map(([index, count]) => {
    const item = node('li');
    const button = node('button', detail.labels[index], { type: 'button', 'data-class': index });
    item.append(button, node('b', `${count} of ${detail.says[view.depth].length}`));
    return item;
  }));
  for (const button of find('patch-strip').children) button.setAttribute('aria-pressed', String(+button.dataset.depth === view.depth));
  drawStrip();
  sayPatch();
}

function sayPatch() {
  const depth = data.tags.length;
  const name = `“${detail.labels[view.chosen]}”`;
  const values = classMap();
  const probe = view.depth < depth - 1 ? ' A probe: the head was trained on the last layer’s read-out only.' : '';
  if (view.patch < 0) {
    let best = 0;
    values.forEach((v, i) => { if (v > values[best]) best = i; });
    const [row, col] = [Math.floor(best / data.grid[1]) + 1, (best % data.grid[1]) + 1];
    find('patch-sentence').textContent = `At layer ${view.depth + 1} the patch in row ${row}, column ${col} says ${name} loudest: ${percent(values[best])}.${probe}`;
    return;
  }
  const [row, col] = [Math.floor(view.patch / data.grid[1]) + 1, (view.patch % data.grid[1]) + 1];
  const own = detail.says[view.depth][view.patch];
  const said = `“${detail.labels[own]}” (${percent(detail.sure[view.depth][view.patch])})`;
  const also = own === view.chosen ? '' : `; ${name} gets ${percent(values[view.patch])}`;
  find('patch-sentence').textContent = `At layer ${view.depth + 1} the patch in row ${row}, column ${col} says ${said}${also}.${probe}`;
}

function buildStrip() {
  find('patch-strip').replaceChildren(...data.tags.map((_, l) => {
    const button = node('button', undefined, { type: 'button', 'data-depth': l });
    button.append(node('canvas'), node('span', `${l + 1}`));
    return button;
  }));
  const list = find('labels');
  if (list.childElementCount !== detail.labels.length) list.replaceChildren(...detail.labels.map((label) => node('option', undefined, { value: label })));
}

function drawStrip() {
  const maps = detail.class_maps[detail.classes.indexOf(view.chosen)];
  if (view.drawn === maps) return;
  view.drawn = maps;
  maps.forEach((values, l) => drawSmall(find('patch-strip').children[l].querySelector('canvas'), values, 0, data.grid, scaleFor('linear', [values], 0), TABLES.inferno));
}

function patchAt(event) {
  const box = find('patch-picture').getBoundingClientRect();
  const [rows, cols] = data.grid;
  const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  return row < 0 || col < 0 || row >= rows || col >= cols ? -1 : row * cols + col;
}

function listenToPatches() {
  const picture = find('patch-picture');
  const point = (patch) => {
    if (!data || data.no_patches || patch === view.patch) return;
    view.patch = patch;
    paintMap(picture, classMap(), scaleFor('linear', [classMap()], 0), patch >= 0 ? [patch] : []);
    sayPatch();
  };
  picture.addEventListener('pointermove', (event) => { if (data) point(patchAt(event)); });
  picture.addEventListener('pointerdown', (event) => { if (data) point(patchAt(event)); });
  picture.addEventListener('pointerleave', (event) => { if (event.pointerType !== 'touch') point(-1); });
  picture.addEventListener('click', () => { if (data && view.patch >= 0) chooseClass(detail.says[view.depth][view.patch]); });
  picture.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -data.grid[1], ArrowDown: data.grid[1] }[event.key];
    if (!step) return;
    event.preventDefault();
    point(Math.min(data.grid[0] * data.grid[1] - 1, Math.max(0, view.patch + step)));
  });
  find('class-search').addEventListener('change', (event) => {
    const index = detail ? detail.labels.indexOf(event.target.value) : -1;
    if (index < 0) return;
    event.target.value = '';
    chooseClass(index);
  });
}
