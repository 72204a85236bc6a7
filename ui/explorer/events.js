// Pointer, touch, keys and controls; what the page around the explorer says; and the start.

function tokenAt(event) {
  const box = picture.getBoundingClientRect();
  const [rows, cols] = data.grid;
  const col = Math.floor(((event.clientX - box.left) / box.width) * cols);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  return row < 0 || col < 0 || row >= rows || col >= cols ? -1 : data.prefix.length + row * cols + col;
}

picture.addEventListener('pointermove', (event) => {
  if (!data || event.pointerType === 'touch') return;
  const token = tokenAt(event);
  if (token === state.pointed) return;
  state.pointed = token;
  if (!state.pinned && token >= 0) state.query = token;
  redraw();
});
picture.addEventListener('pointerleave', () => {
  if (!data) return;
  state.pointed = -1;
  if (!state.pinned) state.query = home();
  redraw();
});
picture.addEventListener('click', (event) => {
  if (!data) return;
  const token = tokenAt(event);
  if (token < 0 || (state.pinned && token === state.query)) ask(home(), false);
  else ask(token, true);
  say();
});
find('tiles').addEventListener('click', (event) => {
  const tile = event.target.closest('[data-token]');
  if (!tile) return;
  ask(+tile.dataset.token, +tile.dataset.token !== home());
  say();
});
find('heads').addEventListener('click', (event) => {
  const button = event.target.closest('[data-head]');
  if (!button) return;
  state.head = /^\d+$/.test(button.dataset.head) ? +button.dataset.head : button.dataset.head;
  redraw();
  say();
});
slider.addEventListener('input', () => { stop(); if (data) goTo(+slider.value - 1); });
root.addEventListener('click', (event) => {
  const button = event.target.closest('[data-set], [data-act]');
  if (!button || !data) return;
  if (button.dataset.set) { state[button.dataset.set] = button.dataset.value; redraw(); say(); }
  if (button.dataset.act === 'play') play();
  if (button.dataset.act === 'home') { ask(home(), false); say(); }
  if (button.dataset.act === 'png') savePicture();
  if (button.dataset.act === 'npz') trigger('export');
});
root.addEventListener('input', (event) => {
  const name = event.target.dataset.pick;
  if (!name) return;
  const { type, checked, value } = event.target;
  state[name] = type === 'checkbox' ? checked : type === 'range' ? value / 100 : value;
  if (name === 'colormap') showRamp();
  redraw();
});
root.addEventListener('keydown', (event) => {
  if (!data || event.target.matches('input, select')) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const heads = [...find('heads').children].map((b) => (/^\d+$/.test(b.dataset.head) ? +b.dataset.head : b.dataset.head));
  const turn = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step) { stop(); goTo(state.layer + step); }
  else if (turn) state.head = heads[(heads.indexOf(state.head) + turn + heads.length) % heads.length];
  else if (event.key === ' ' && event.target === picture) play();
  else if (event.key === 'Escape') ask(home(), false);
  else return;
  event.preventDefault();
  redraw();
  say();
});

// The page says that a run has begun, or that it failed; what was sent last is then shown again.
element.addEventListener('explorer:begin', () => begin('Looking at the photo …'));
element.addEventListener('explorer:last', () => { if (!root.dataset.complete) load(); });

// Another part of the page chose a layer and a head: the explorer goes there.
onChoice('explorer', ({ layer, head, query }) => {
  if (!data) return;
  stop();
  Object.assign(state, { head, method: 'attention' });
  goTo(layer);
  ask(query, query !== home());
});

for (const name of Object.keys(TABLES)) root.querySelector('[data-pick="colormap"]').append(node('option', name, { value: name }));
root.querySelector('[data-pick="smooth"]').checked = state.smooth;
root.querySelector('[data-pick="lines"]').checked = state.lines;
showRamp();
new ResizeObserver(fit).observe(find('frame'));
watch('value', load);
load();
