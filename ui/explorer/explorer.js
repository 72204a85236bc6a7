// State, drawing and loading. One photo is one run: its data arrive once, everything after that happens here.

const root = element.querySelector('.ax');
const find = (role) => root.querySelector(`[data-role="${role}"]`);
const picture = find('picture');
const slider = find('layer');

let data = null; // what the server sent
let photo = null;
let layers = []; // decoded layers, filled from the last to the first
let run = 0; // counts loads, so that a late answer for an old photo is dropped
let frame = 0;
let player = 0;
const state = {
  layer: 0, head: 'mean', method: 'attention', direction: 'from',
  query: 0, pinned: false, pointed: -1,
  timeline: 'belief', // what is drawn over the layers: the answer, or the read-out token
  colormap: 'inferno', scale: 'clipped', range: 'map', opacity: 0.8, lines: false, smooth: true,
};

const home = () => (data && data.prefix.length ? 0 : -1);
const tokensOf = () => data.prefix.length + data.grid[0] * data.grid[1];
const planeChoice = (head) => (state.method === 'rollout' ? data.heads : head);
const mapOf = (layer, head) => fused(layer, data.heads, planeChoice(head), state.query, state.direction, data.prefix.length);

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
  const prefix = data.prefix.length;
  const layer = layers[state.layer];
  const depth = data.layers.length;
  slider.value = state.layer + 1;
  slider.setAttribute('aria-valuetext', `layer ${state.layer + 1} of ${depth}`);
  find('layer-name').textContent = `${state.layer + 1} of ${depth}`;
  showAnswers(find, data, state.layer);
  showTimeline(find, data, state, goTo);
  markControls();
  if (!layer) {
    drawPicture(picture.getContext('2d'), picture.width, picture.height, { ...look(), values: null });
    find('sentence').textContent = `Layer ${state.layer + 1} is on its way.`;
    return;
  }
  const values = mapOf(layer, state.head);
  const heads = state.method === 'rollout' ? [] : [...Array(data.heads).keys()];
  const each = heads.map((head) => mapOf(layer, head));
  const scale = state.range === 'layer' && each.length ? scaleFor(state.scale, each, prefix) : scaleFor(state.scale, [values], prefix);
  const view = { ...look(), values, scale };
  drawPicture(picture.getContext('2d'), picture.width, picture.height, view);
  showScale(scale);
  showHeads(layer, each, state.range === 'layer' ? scale : null);
  showTiles(values);
  find('sentence').textContent = sentenceFor(data, state, values);
  shown = { view, values, scale };
}

let shown = null; // what the canvas shows, for the download and the spoken read-out

function look() {
  return {
    photo, grid: data.grid, prefix: data.prefix.length, table: TABLES[state.colormap],
    query: state.query, pointed: state.pointed, opacity: state.opacity, lines: state.lines, smooth: state.smooth,
  };
}

const showRamp = () => find('ramp').style.setProperty('--colours', stopsOf(TABLES[state.colormap]));

const SCALE_WORDS = { linear: 'linear', clipped: 'brightest 1% clipped', log: 'logarithmic' };

function showScale(scale) {
  find('scale-high').textContent = scale.kind === 'clipped' && scale.top > scale.high ? `≥ ${percent(scale.high)}` : percent(scale.high);
  find('scale-low').textContent = scale.low > 0 ? `≤ ${percent(scale.low)}` : '0';
  find('scale-name').textContent = SCALE_WORDS[scale.kind];
  const even = place(1 / tokensOf(), scale);
  const mark = find('uniform');
  find('ramp').style.setProperty('--even', `${100 * even}%`);
  mark.hidden = scale.high < 1 / tokensOf();
  mark.title = `An even share of attention: 1/${tokensOf()} = ${percent(1 / tokensOf())}`;
}

function showHeads(layer, each, common) {
  const prefix = data.prefix.length;
  const rolled = state.method === 'rollout';
  find('heads').classList.toggle('off', rolled);
  for (const button of find('heads').children) {
    const choice = /^\d+$/.test(button.dataset.head) ? +button.dataset.head : button.dataset.head;
    button.setAttribute('aria-pressed', String(!rolled && choice === state.head));
    button.disabled = rolled;
    if (rolled) continue;
    const values = typeof choice === 'number' ? each[choice] : mapOf(layer, choice);
    drawSmall(button.querySelector('canvas'), values, prefix, data.grid, common || scaleFor(state.scale, [values], prefix), TABLES[state.colormap]);
  }
}

function showTiles(values) {
  for (const tile of find('tiles').children) {
    const token = +tile.dataset.token;
    tile.setAttribute('aria-pressed', String(token === state.query));
    tile.querySelector('b').textContent = token < 0 ? '' : percent(values[token]);
  }
}

function markControls() {
  for (const button of root.querySelectorAll('[data-set]')) {
    button.setAttribute('aria-pressed', String(state[button.dataset.set] === button.dataset.value));
  }
  const back = root.querySelector('[data-act="home"]');
  back.classList.toggle('off', !state.pinned || state.query === home());
  back.textContent = home() < 0 ? 'back to all patches' : 'back to class token';
}

function buildControls() {
  const tile = (token, name) => {
    const made = node('button', undefined, { type: 'button', 'data-token': token, title: `Ask from ${tokenName(data, token)}` });
    made.append(node('span', name), node('b'));
    return made;
  };
  const tiles = data.prefix.map((name, token) => tile(token, name));
  find('tiles').replaceChildren(...(tiles.length ? tiles : [tile(-1, 'all patches')]));
  const head = (choice, name) => {
    const made = node('button', undefined, { type: 'button', 'data-head': choice });
    made.append(node('canvas'), node('span', name));
    return made;
  };
  const many = data.heads > 1 ? ['mean', 'max', 'min'].map((c) => head(c, c)) : [];
  find('heads').replaceChildren(...many, ...Array.from({ length: data.heads }, (_, h) => head(h, `${h + 1}`)));
  const count = many.length + data.heads;
  find('heads').style.setProperty('--columns', count > 15 ? Math.ceil(count / 2) : count);
  slider.max = data.layers.length;
}

function goTo(layer) {
  state.layer = Math.min(data.layers.length - 1, Math.max(0, layer));
  redraw();
}

function say() { // for screen readers: only after a choice, not at every move of the pointer
  requestAnimationFrame(() => requestAnimationFrame(() => { find('spoken').textContent = find('sentence').textContent; }));
}

function ask(token, pinned) {
  state.query = token;
  state.pinned = pinned;
  redraw();
}

function fit() {
  if (!data) return;
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(picture.clientWidth * ratio);
  const height = Math.round((width * data.grid[0]) / data.grid[1]);
  if (width && (picture.width !== width || picture.height !== height)) {
    picture.width = width;
    picture.height = height;
    draw();
  }
}

// A new photo: nothing of the old one stays in sight.
function begin(text) {
  run++;
  stop();
  delete root.dataset.complete;
  data = photo = shown = null;
  layers = [];
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
    const [planes, tokens, depth] = [value.heads + 1, value.prefix.length + value.grid[0] * value.grid[1], value.layers.length];
    const open = async (file) => {
      const image = new Image();
      image.src = file.url;
      await image.decode();
      return image;
    };
    const [crop, whole, last] = await Promise.all([
      open(value.image), open(value.photo), fetchLayer(value.layers[depth - 1].url, planes, tokens),
    ]);
    if (mine !== run) return;
    data = value;
    photo = crop;
    layers = Array(depth);
    layers[depth - 1] = last;
    if (typeof state.head === 'number' && state.head >= data.heads) state.head = 'mean';
    Object.assign(state, { layer: depth - 1, query: home(), pinned: false, pointed: -1 });
    root.style.setProperty('--aspect', `${data.grid[1]} / ${data.grid[0]}`);
    root.style.setProperty('--ratio', data.grid[1] / data.grid[0]);
    buildControls();
    const [left, top, right, bottom] = data.box;
    drawCrop(find('crop'), whole, data.photo_size, data.box);
    find('crop-note').textContent = `The model saw the bright part (${Math.round(right - left)} × ${Math.round(bottom - top)} of ` +
      `${data.photo_size[0]} × ${data.photo_size[1]} pixels) as ${data.image_size[0]} × ${data.image_size[1]}.`;
    root.dataset.state = 'ready';
    fit();
    draw();
    say();
    for (let l = depth - 2; l >= 0; l--) {
      const layer = await fetchLayer(value.layers[l].url, planes, tokens);
      if (mine !== run) return;
      layers[l] = layer;
      if (l === state.layer) draw();
    }
    root.dataset.complete = value.run;
  } catch (error) {
    if (mine !== run) return;
    const words = {
      expired: 'The server has let go of this photo’s numbers. Drop the photo again to see them.',
      incomplete: 'The attention of this photo arrived damaged. Drop the photo again.',
    };
    data = null;
    veil(words[error.message] || 'The server cannot be reached. Check the connection and drop the photo again.', 'error');
  }
}

function stop() {
  clearInterval(player);
  player = 0;
  root.querySelector('[data-act="play"]').setAttribute('aria-pressed', 'false');
}

function play() {
  if (player) return stop();
  if (!data) return;
  if (state.layer === data.layers.length - 1) goTo(0);
  root.querySelector('[data-act="play"]').setAttribute('aria-pressed', 'true');
  player = setInterval(() => {
    goTo(state.layer + 1);
    if (state.layer === data.layers.length - 1) stop();
  }, 450);
}

function savePicture() {
  if (!shown) return;
  const head = state.method === 'rollout' ? 'rollout' : typeof state.head === 'number' ? `head ${state.head + 1}` : `${state.head} of heads`;
  const verb = state.direction === 'from' ? 'what it looks at' : 'who looks at it';
  const canvas = drawExport(shown.view, {
    what: `${capital(tokenName(data, state.query))}: ${verb}`,
    how: `${data.model} · layer ${state.layer + 1} of ${data.layers.length} · ${head} · ${SCALE_WORDS[shown.scale.kind]} scale`,
    low: find('scale-low').textContent,
    high: find('scale-high').textContent,
  });
  canvas.toBlob((blob) => {
    const link = node('a', undefined, { href: URL.createObjectURL(blob), download: `attention-layer-${state.layer + 1}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
