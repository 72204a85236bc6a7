// Pointer, touch, keys and controls; what the page around the explorer says; and the start.

function tokenAt(event, canvas) {
  const box = canvas.getBoundingClientRect();
  const [rows, cols] = data.grid;
  const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  return row < 0 || col < 0 || row >= rows || col >= cols ? -1 : data.prefix.length + row * cols + col;
}

// Over a token, in a picture or beside it: the query follows unless it is pinned, then only the numbers do.
function pointAt(token, at = state.active) {
  if (token === state.pointed && at === state.active) return;
  state.pointed = token;
  state.active = at;
  if (!viewNow().pinned) viewNow().query = token < 0 ? home() : token;
  redraw();
}

panes.forEach((canvas, at) => {
  canvas.addEventListener('pointermove', (event) => {
    if (data && event.pointerType !== 'touch') pointAt(tokenAt(event, canvas), at);
  });
  canvas.addEventListener('pointerleave', () => { if (data) pointAt(-1, at); });
  canvas.addEventListener('click', (event) => {
    if (!data) return;
    const token = tokenAt(event, canvas);
    const view = state.views[at];
    if (event.shiftKey && state.views.length < 2 && token >= 0) return compare(token);
    if (token < 0 || (view.pinned && token === view.query)) ask(home(), false, at);
    else ask(token, true, at);
    chose();
  });
});

const tileOf = (event) => event.target.closest('[data-token]');
find('tiles').addEventListener('pointerover', (event) => {
  if (data && tileOf(event) && event.pointerType !== 'touch') pointAt(+tileOf(event).dataset.token);
});
find('tiles').addEventListener('pointerleave', () => { if (data) pointAt(-1); });
find('tiles').addEventListener('click', (event) => {
  if (!tileOf(event)) return;
  const token = +tileOf(event).dataset.token;
  ask(token, state.views.length > 1 || token !== home());
  chose();
});

find('heads').addEventListener('click', (event) => {
  const button = event.target.closest('[data-head]');
  if (!button) return;
  state.head = headOf(button.dataset.head);
  chose();
});
find('matrix-grid').addEventListener('click', (event) => {
  const cell = event.target.closest('[data-cell]');
  if (!cell) return;
  const choice = headOf(cell.dataset.cell);
  state.method = choice === 'rollout' ? 'rollout' : 'attention';
  if (choice !== 'rollout') state.head = choice;
  stop();
  goTo(+cell.parentNode.dataset.row);
  chose();
});

slider.addEventListener('input', () => { stop(); if (data) goTo(+slider.value - 1); });
slider.addEventListener('change', () => { if (data) chose(); });

// Each control names what it does; keys call the same.
const ACTS = {
  play,
  home: goHome,
  compare: () => compare(),
  more: () => unfold('more', find('more').hidden),
  matrix: () => openMatrix(!matrixOpen()),
  keys: () => find('keys').showModal(),
  'close-keys': () => find('keys').close(),
  png: savePicture,
  json: saveNumbers,
  npz: () => trigger('export', { options: optionsNow() }),
};
root.addEventListener('click', (event) => {
  const button = event.target.closest('[data-set], [data-act]');
  if (!button || !data) return;
  if (button.dataset.set) { state[button.dataset.set] = button.dataset.value; chose(); }
  else ACTS[button.dataset.act]();
});
root.addEventListener('input', (event) => {
  const name = event.target.dataset.pick;
  if (!name) return;
  const { type, checked, value } = event.target;
  state[name] = type === 'checkbox' ? checked : type === 'range' ? value / 100 : value;
  if (name === 'colormap') showRamp();
  chose();
});

function unfold(role, open) {
  find(role).hidden = !open;
  root.querySelector(`[data-act="${role}"]`).setAttribute('aria-expanded', String(open));
  if (open) find(role).scrollIntoView({ block: 'nearest' });
}

// One step back: from two pictures to one, from a pinned patch to the class token.
function goHome() {
  if (state.views.length > 1) return compare();
  ask(home(), false);
  chose();
}

function turnHead(step) {
  if (state.method === 'rollout') return;
  const heads = headChoices();
  state.head = heads[(heads.indexOf(state.head) + step + heads.length) % heads.length];
}

// Shift and an arrow: the patch beside the query, which is then pinned. From the class token: the middle of the photo.
function walk(down, right) {
  const prefix = data.prefix.length;
  const [rows, cols] = data.grid;
  const i = viewNow().query - prefix;
  const from = i < 0 ? [Math.floor(rows / 2) - down, Math.floor(cols / 2) - right] : [Math.floor(i / cols), i % cols];
  const row = Math.min(rows - 1, Math.max(0, from[0] + down));
  const col = Math.min(cols - 1, Math.max(0, from[1] + right));
  ask(prefix + row * cols + col, true);
}

const step = (by) => { stop(); goTo(state.layer + by); };
const ARROWS = {
  ArrowLeft: { plain: () => step(-1), shift: () => walk(0, -1) },
  ArrowRight: { plain: () => step(1), shift: () => walk(0, 1) },
  ArrowUp: { plain: () => turnHead(-1), shift: () => walk(-1, 0) },
  ArrowDown: { plain: () => turnHead(1), shift: () => walk(1, 0) },
};
const LETTERS = {
  '?': ACTS.keys, m: ACTS.matrix, c: ACTS.compare,
  h: () => { state.sinks = !state.sinks; showOptions(); chose(); },
};

function onKey(event) {
  if (!element.isConnected) return document.removeEventListener('keydown', onKey);
  const { target, key } = event;
  const inside = root.contains(target);
  if (!data || !root.offsetParent || find('keys').open || event.ctrlKey || event.metaKey || event.altKey) return;
  if ((!inside && target !== document.body) || target.matches('input:not([type=checkbox]), select, textarea')) return;
  const arrow = ARROWS[key];
  if (arrow) {
    arrow[event.shiftKey ? 'shift' : 'plain']();
    chose();
  } else if (key === ' ' && !target.closest('button, summary, input')) play();
  else if (key === 'Escape') goHome();
  else if (LETTERS[key]) LETTERS[key]();
  else return;
  event.preventDefault();
}
document.addEventListener('keydown', onKey);
find('keys').addEventListener('click', (event) => { if (event.target === find('keys')) find('keys').close(); });

// The page says that a run has begun, or that it failed; what was sent last is then shown again.
element.addEventListener('explorer:begin', () => begin('Looking at the photo …'));
element.addEventListener('explorer:last', () => {
  const mine = run;
  setTimeout(() => { if (mine === run && !store) load(); }, 100); // what has just been sent comes first
});
onChoice('explorer', ({ layer, head, query }) => {
  if (!data) return;
  if (headChoices().includes(head)) state.head = head;
  if (typeof head === 'number') state.method = 'attention'; // rollout has no heads
  if (query < tokensOf()) ask(query < 0 ? home() : query, query >= 0 && query !== home());
  stop();
  goTo(layer);
  writeAddress();
});

function showOptions() {
  for (const input of root.querySelectorAll('[data-pick]')) {
    const value = state[input.dataset.pick];
    if (input.type === 'checkbox') input.checked = value;
    else input.value = input.type === 'range' ? 100 * value : value;
  }
  showRamp();
}

for (const name of Object.keys(TABLES)) root.querySelector('[data-pick="colormap"]').append(node('option', name, { value: name }));
showOptions();
new ResizeObserver(fit).observe(find('frames'));
watch('value', load);
load();
