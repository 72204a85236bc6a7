// All layers and heads at once for the current query: one row of small maps for each layer, drawn a few rows a frame.

const MATRIX_MS = 3; // of script in one frame
let matrixTurn = 0; // a new query makes what is under way stale
let matrixKey = '';
let matrixRest = 0;

const matrixOpen = () => !find('matrix').hidden;
const matrixChoices = () => [...Array(data.heads).keys(), ...(data.heads > 1 ? ['mean'] : []), 'rollout'];

function buildMatrix() {
  const choices = matrixChoices();
  const name = (choice) => (typeof choice === 'number' ? `head ${choice + 1}` : choice);
  const grid = find('matrix-grid');
  grid.style.setProperty('--across', choices.length);
  const top = node('div', undefined, { role: 'row' });
  top.append(node('span', '', { role: 'columnheader' }), ...choices.map((c) => node('span', typeof c === 'number' ? c + 1 : c, { role: 'columnheader' })));
  grid.replaceChildren(top, ...data.layers.map((_, l) => {
    const row = node('div', undefined, { role: 'row', 'data-row': l });
    row.append(node('span', l + 1, { role: 'rowheader' }), ...choices.map((choice) => {
      const cell = node('button', undefined, {
        type: 'button', role: 'gridcell', tabindex: -1, 'data-cell': choice, 'aria-label': `layer ${l + 1}, ${name(choice)}`,
      });
      cell.append(node('canvas'));
      return cell;
    }));
    return row;
  }));
  matrixKey = '';
}

function openMatrix(open) {
  matrixKey = '';
  unfold('matrix', open);
  showMatrix();
}

// Called after each drawing: marks the current cell, and draws all maps again if the query or the view changed.
function showMatrix() {
  if (!matrixOpen()) return;
  const here = state.method === 'rollout' ? 'rollout' : String(state.head);
  for (const cell of find('matrix-grid').querySelectorAll('[data-cell]')) {
    const current = cell.dataset.cell === here && +cell.parentNode.dataset.row === state.layer;
    if (current === (cell.getAttribute('aria-selected') === 'true')) continue;
    cell.setAttribute('aria-selected', String(current));
    cell.tabIndex = current ? 0 : -1;
  }
  const { query } = viewNow();
  const key = [data.run, query, state.direction, state.scale, state.range, state.colormap, state.sinks].join();
  if (key === matrixKey) return;
  matrixKey = key;
  find('matrix-title').textContent = state.direction === 'from'
    ? `Where ${tokenName(data, query)} looks` : `Who looks at ${tokenName(data, query)}`;
  const turn = ++matrixTurn;
  const order = [...data.layers.keys()].sort((a, b) => Math.abs(a - state.layer) - Math.abs(b - state.layer));
  const missing = [];
  const step = () => {
    const end = performance.now() + MATRIX_MS;
    while (order.length && performance.now() < end) {
      if (turn !== matrixTurn || !data || !matrixOpen()) return;
      const l = order.shift();
      const layer = store.get(l);
      if (layer) drawRow(l, layer, query);
      else missing.push(clearRow(l));
    }
    if (order.length) requestAnimationFrame(step);
    else if (missing.length) {
      clearTimeout(matrixRest); // layers that are not held are fetched one by one once the pointer rests
      matrixRest = setTimeout(() => fetchRows(missing, turn, query), 250);
    }
  };
  step();
}

async function fetchRows(rows, turn, query) {
  for (const l of rows) {
    if (turn !== matrixTurn || !data || !matrixOpen()) return;
    const layer = await store.want(l).catch(() => null);
    if (turn !== matrixTurn || !data) return;
    if (layer) drawRow(l, layer, query);
  }
}

const cellsOf = (l) => find('matrix-grid').querySelector(`[data-row="${l}"]`).querySelectorAll('[data-cell]');

function clearRow(l) {
  for (const cell of cellsOf(l)) cell.firstChild.getContext('2d').clearRect(0, 0, cell.firstChild.width, cell.firstChild.height);
  return l;
}

function drawRow(l, layer, query) {
  const each = mapsOf(layer, query, 'attention');
  const rolled = mapsOf(layer, query, 'rollout');
  for (const cell of cellsOf(l)) {
    const flow = cell.dataset.cell === 'rollout';
    const values = flow ? rolled[0] : chosenOf(each, headOf(cell.dataset.cell));
    const scale = scaleFrom([values], flow ? rolled : each, flow ? 'rollout' : 'attention');
    drawSmall(cell.firstChild, values, data.prefix.length, data.grid, scale, TABLES[state.colormap]);
  }
}
