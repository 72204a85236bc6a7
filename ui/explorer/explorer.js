// State, drawing and loading. One photo is one run: its data arrive once, everything after that happens here.

const root = element.querySelector('.ax');
const find = (role) => root.querySelector(`[data-role="${role}"]`);
const picture = find('picture');
const panes = [picture, find('second')];
const slider = find('layer');

let data = null; // what the server sent
let photo = null;
let store = null; // the layers
let run = 0; // counts loads, so that a late answer for an old photo is dropped
let frame = 0;
let told = ''; // the layer that the words and controls are about
let shown = null; // what the canvas shows, for the downloads
const state = {
  layer: 0, head: 'mean', method: 'attention', direction: 'from',
  views: [{ query: 0, pinned: false }], // one, or two that are compared
  timeline: 'belief', // what is drawn over the layers: the answer, or the read-out token
  active: 0, // the one that heads, tiles and keys speak of
  pointed: -1,
  colormap: 'inferno', scale: 'clipped', range: 'map', opacity: 0.8, lines: false, smooth: true, sinks: false,
};

const home = () => (data && data.prefix.length ? 0 : -1);
const tokensOf = () => data.prefix.length + data.grid[0] * data.grid[1];
const viewNow = () => state.views[state.active];
const planesOf = (method) => (method === 'rollout' ? [data.heads] : [...Array(data.heads).keys()]);
const sinksNow = (layer, method = state.method) => (state.sinks ? sinksOf(layer, planesOf(method)) : []);

// Every head's map of a query, or the one map of the rollout; then the one that is chosen.
function mapsOf(layer, query, method = state.method) {
  const { direction } = state;
  const prefix = data.prefix.length;
  const sinks = sinksNow(layer, method);
  return planesOf(method).map((plane) =>
    withoutSinks(weightsOf(layer, plane, query, direction, prefix), layer, plane, query, direction, prefix, sinks));
}

function chosenOf(each, head = state.head) {
  return each.length === 1 ? each[0] : typeof head === 'number' ? each[head] : combine(each, head);
}

// One scale for each picture ("map"), for all heads of the layer, or for everything of this photo.
function scaleFrom(maps, each, method = state.method) {
  if (state.range === 'all') return scaleOf(state.scale, data.quantiles[method === 'rollout' ? 1 : 0]);
  return scaleFor(state.scale, state.range === 'layer' ? [...each, ...maps] : maps, data.prefix.length);
}

function veil(text, kind) {
  root.dataset.state = kind;
  find('veil').textContent = text;
}

function redraw() {
  if (!frame) frame = requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  if (!data || !photo) return;
  const layer = store.get(state.layer);
  tellLayer();
  markControls();
  find('second-frame').hidden = state.views.length < 2;
  root.classList.toggle('compares', state.views.length > 1);
  if (!layer) {
    shown = null;
    showMissing();
    return;
  }
  const looks = state.views.map(({ query }) => {
    const each = mapsOf(layer, query);
    return { query, each, values: chosenOf(each) };
  });
  const scale = scaleFrom(looks.map((one) => one.values), looks.flatMap((one) => one.each));
  const sinks = sinksNow(layer);
  shown = { looks, scale, sinks };
  looks.forEach((one, i) => drawPicture(panes[i].getContext('2d'), panes[i].width, panes[i].height, sight(one, scale, sinks)));
  showScale(scale);
  showHeads(looks[state.active].each, state.range === 'map' ? null : scale);
  showTiles(looks[state.active].values, sinks);
  showReadout(looks, sinks);
  showSinks(sinks);
  find('sentence').textContent = wordsFor(looks, sinks);
  showMatrix();
}

// Everything that one picture needs.
function sight(one, scale, sinks) {
  return {
    photo, grid: data.grid, prefix: data.prefix.length, table: TABLES[state.colormap], values: one.values, scale, sinks,
    query: one.query, pointed: state.pointed, opacity: state.opacity, lines: state.lines, smooth: state.smooth,
  };
}

// What changes with the layer only.
function tellLayer() {
  const depth = data.layers.length;
  const now = `${data.run} ${state.layer} ${state.timeline}`;
  if (told === now) return;
  told = now;
  slider.value = state.layer + 1;
  slider.setAttribute('aria-valuetext', `layer ${state.layer + 1} of ${depth}`);
  find('layer-name').textContent = `${state.layer + 1} of ${depth}`;
  showAnswers(find, data, state.layer);
  showTimeline(find, data, state, goTo);
}

const FAILED = {
  expired: 'The server has let go of this photo’s numbers. Drop the photo again to see them.',
  incomplete: 'The attention of this photo arrived damaged. Drop the photo again.',
  unreachable: 'The server cannot be reached. Check the connection and drop the photo again.',
};

function showMissing() {
  for (const [i, { query }] of state.views.entries()) {
    const view = { ...sight({ query, values: null }, null, []), pointed: -1 };
    drawPicture(panes[i].getContext('2d'), panes[i].width, panes[i].height, view);
  }
  clearNumbers();
  const words = FAILED[store.failure(state.layer)];
  find('sentence').textContent = words ? `Layer ${state.layer + 1}: ${words}` : `Layer ${state.layer + 1} is on its way.`;
}

function goTo(layer) {
  state.layer = Math.min(data.layers.length - 1, Math.max(0, layer));
  store.look(state.layer);
  redraw();
}

// After a choice, not at every move of the pointer: screen readers, the other parts of the page and the address follow.
function chose() {
  redraw();
  if (!data) return;
  publishChoice('explorer', { layer: state.layer, head: state.head, query: viewNow().query });
  requestAnimationFrame(() => requestAnimationFrame(() => { find('spoken').textContent = find('sentence').textContent; }));
  writeAddress();
}

function ask(token, pinned, at = state.active) {
  state.views[at] = { query: token, pinned };
  state.active = at;
}

// A second picture beside the first: the first keeps its query, the second follows the pointer until it is pinned.
function compare(token) {
  if (state.views.length > 1) {
    state.views.pop();
    state.active = 0;
  } else {
    state.views[0].pinned = true;
    state.views.push({ query: token ?? home(), pinned: token !== undefined });
    state.active = 1;
  }
  chose();
}

function fit() {
  if (!data) return;
  const ratio = window.devicePixelRatio || 1;
  for (const canvas of panes) {
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round((width * data.grid[0]) / data.grid[1]);
    if (width && (canvas.width !== width || canvas.height !== height)) {
      [canvas.width, canvas.height] = [width, height];
      draw();
    }
  }
}

// A new photo: nothing of the old one stays in sight.
function begin(text) {
  run++;
  stop();
  delete root.dataset.complete;
  if (store) store.close();
  data = photo = store = shown = null;
  Object.assign(state, { views: [{ query: 0, pinned: false }], active: 0, pointed: -1 });
  find('second-frame').hidden = true;
  root.classList.remove('compares');
  find('spoken').textContent = '';
  veil(text, 'busy');
}

async function load() {
  const value = props.value;
  if (!value || !value.layers) {
    begin('');
    veil('Drop a photo on the left, paste one, or choose an example.', 'empty');
    return;
  }
  begin('Opening the photo …');
  const mine = run;
  try {
    const tokens = value.prefix.length + value.grid[0] * value.grid[1];
    const last = value.layers.length - 1;
    const open = async (file) => {
      const image = new Image();
      image.src = file.url;
      await image.decode();
      return image;
    };
    const layers = openStore(value.layers, value.heads + 1, tokens, props.budget, (l) => arrived(mine, l));
    store = layers;
    const images = Promise.all([open(value.image), open(value.photo)]);
    images.catch(() => {}); // told below, after the layer's own error
    await layers.want(last);
    const [crop, whole] = await images;
    if (mine !== run) return;
    data = value;
    photo = crop;
    if (typeof state.head === 'number' && state.head >= data.heads) state.head = 'mean';
    Object.assign(state, { layer: last, views: [{ query: home(), pinned: false }] });
    root.style.setProperty('--aspect', `${data.grid[1]} / ${data.grid[0]}`);
    root.style.setProperty('--ratio', data.grid[1] / data.grid[0]);
    buildControls();
    showCrop(whole);
    restoreAddress();
    root.dataset.state = 'ready';
    store.look(state.layer);
    fit();
    draw();
    chose();
    if ((await layers.fill()) && mine === run) root.dataset.complete = value.run;
  } catch (error) {
    if (mine !== run) return;
    data = null;
    veil(FAILED[error.message] || FAILED.unreachable, 'error');
  }
}

function arrived(mine, layer) {
  if (mine !== run || !data) return;
  showArrived();
  if (layer === state.layer) draw();
}
