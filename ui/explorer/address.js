// What is chosen stands in the page's address, so that a link shows the same again. Python restores the model and the
// example (ui/explore.py), this file the rest, until the visitor chooses. Layers, heads, rows and columns count from 1.

const OPTIONS = { // state -> the word in the address; only what differs from the start is written
  method: 'method', direction: 'direction', scale: 'scale', range: 'range', colormap: 'colours',
};
const START = { ...state };
const given = new URLSearchParams(window.location.search);
let touched = false; // from the first click, key or photo on, the visitor's own choices count, not the link's
let addressTimer = 0;

for (const kind of ['pointerdown', 'keydown', 'drop', 'change']) {
  document.addEventListener(kind, () => { touched = true; }, { capture: true, once: true });
}

const spelled = (token) => {
  const [rows, cols] = data.grid;
  const i = token - data.prefix.length;
  if (token < 0) return 'all-patches';
  return i < 0 ? data.prefix[token].replaceAll(' ', '-') : [Math.floor(i / cols) + 1, (i % cols) + 1, rows, cols].join(',');
};

// A token from its spelling; a patch of another grid becomes the one at the same place of the photo. null if unknown.
function tokenFrom(text) {
  if (!text) return null;
  if (text === 'all-patches') return data.prefix.length ? null : -1;
  const named = data.prefix.findIndex((name) => name.replaceAll(' ', '-') === text);
  if (named >= 0) return named;
  const [row, col, rows, cols] = text.split(',').map(Number);
  if (!(row >= 1 && col >= 1 && row <= rows && col <= cols)) return null;
  const r = Math.floor(((row - 0.5) / rows) * data.grid[0]);
  const c = Math.floor(((col - 0.5) / cols) * data.grid[1]);
  return data.prefix.length + r * data.grid[1] + c;
}

function writeAddress() {
  clearTimeout(addressTimer);
  addressTimer = setTimeout(() => {
    if (!data || !(touched || window.location.search)) return; // a page that was only opened keeps its plain address
    const url = new URL(window.location.href);
    const put = (name, value) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name));
    put('model', data.model);
    put('example', data.example);
    put('photo', data.example ? '' : 'own');
    put('layer', state.layer + 1);
    put('head', typeof state.head === 'number' ? state.head + 1 : state.head);
    const [first, second] = state.views;
    put('query', first.pinned || !second ? spelled(first.pinned ? first.query : home()) : '');
    put('second', second ? spelled(second.query) : '');
    for (const [name, word] of Object.entries(OPTIONS)) put(word, state[name] === START[name] ? '' : state[name]);
    put('sinks', state.sinks ? 'hidden' : '');
    window.history.replaceState(window.history.state, '', url);
  }, 200);
}

function restoreAddress() {
  if (touched) return;
  for (const [name, word] of Object.entries(OPTIONS)) {
    const known = name === 'colormap' ? Object.keys(TABLES) : [...root.querySelectorAll(`[data-set="${name}"], [data-pick="${name}"] option`)]
      .map((choice) => choice.dataset.value || choice.value);
    if (known.includes(given.get(word))) state[name] = given.get(word);
  }
  state.sinks = given.get('sinks') === 'hidden';
  const layer = Number(given.get('layer'));
  if (Number.isInteger(layer) && layer >= 1 && layer <= data.layers.length) state.layer = layer - 1;
  const head = given.get('head');
  if (headChoices().includes(head)) state.head = head;
  else if (headChoices().includes(Number(head) - 1)) state.head = Number(head) - 1;
  const query = tokenFrom(given.get('query'));
  if (query !== null) state.views = [{ query, pinned: query !== home() }];
  const second = tokenFrom(given.get('second'));
  if (second !== null) {
    state.views[0].pinned = true;
    state.views.push({ query: second, pinned: true });
  }
  showOptions();
}
