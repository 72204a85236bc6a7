// A photo arrives or goes; the visitor chooses, scrubs, asks and saves.

function veil(text, kind) {
  root.dataset.state = kind;
  find('veil').textContent = text;
}

// A new photo: nothing of the old one stays in sight, and late answers about it are dropped.
function begin(text, kind) {
  stop();
  delete root.dataset.complete;
  run = '';
  here = pending = null;
  veil(text, kind);
}

function aim(target, rival) {
  if (rival === target) rival = null;
  state.target = target;
  state.rival = rival;
  state.total = 0;
  state.at = 0;
  state.asked = [];
  state.wanted = new Set(); // many passes for another class: only when asked again
  for (const known of [maps, scores, checks, agreements]) {
    for (const [key, found] of known) if (!found || found.again) known.delete(key);
  }
  delete root.dataset.complete;
  classChooser.set(target, rival);
  rivalChooser.set(rival, target);
  root.querySelector('[data-do="no-rival"]').classList.toggle('off', rival === null);
  stop();
  redraw();
  pump();
}

const classChooser = makeChooser(find('class'), (index) => aim(index, state.rival));
const rivalChooser = makeChooser(find('rival'), (index) => aim(state.target, index));

async function picture(file) {
  const image = new Image();
  image.src = file.url;
  await image.decode();
  return image;
}

async function load() {
  const value = props.value;
  if (value && value.answer && value.run === run) return receive(value.answer);
  if (value && value.answer && root.dataset.state !== 'waiting') return undefined; // a late answer about an older photo
  if (!value) return begin('Drop a photo on the left, paste one, or choose an example.', 'empty');
  if (!value.photo) return begin('Looking at the photo …', 'waiting');
  begin('Looking at the photo …', 'busy');
  const mine = (run = value.run);
  try {
    const { image, blurred, facts, colour, grid, model } = value.photo;
    const [photo, soft, words] = await Promise.all([picture(image), picture(blurred), fetch(facts.url).then((r) => r.json())]);
    if (mine !== run) return undefined;
    maps = new Map();
    scores = new Map();
    agreements = new Map();
    checks = new Map();
    begun = new Map();
    here = { ...words, photo, blurred: soft, colour, grid, model, cards: {} };
  } catch {
    if (mine === run) begin('The server has let go of this photo, or cannot be reached. Choose the photo again.', 'empty');
    return undefined;
  }
  root.style.setProperty('--aspect', `${here.grid[1]} / ${here.grid[0]}`);
  const places = { quick: [], slow: [] };
  for (const method of here.methods) {
    const parts = makeCard(method, { pick, compute, seeds: here.seeds });
    here.cards[method.name] = parts;
    places[method.slow ? 'slow' : 'quick'].push(parts.card);
  }
  for (const [name, cards] of Object.entries(places)) find(name).replaceChildren(...cards);
  delete find('matrix').dataset.key;
  Object.assign(state, { chosen: [], view: 'map', wanted: new Set() });
  root.dataset.state = 'ready';
  classChooser.fill(here.classes, here.probabilities);
  rivalChooser.fill(here.classes, here.probabilities);
  const best = headed() ? here.probabilities.indexOf(Math.max(...here.probabilities)) : null;
  return aim(best, null);
}

function receive(answer) {
  if (!pending || answer.serial !== pending.serial) return;
  if (answer.done) begun.set(pending.key, answer.done);
  else keep(pending, answer);
  pending = null;
  pump();
}

// The first click brings a map into the figures, in front of the others; a click on the front one takes it out.
function pick(name) {
  stop();
  if (state.chosen[0] === name && state.chosen.length > 1) state.chosen.shift();
  else state.chosen = [name, ...state.chosen.filter((other) => other !== name)].slice(0, CURVES.length);
  redraw();
}

function compute(name) {
  state.wanted.add(name);
  pump();
  redraw();
}

function stop() {
  clearInterval(player);
  player = 0;
  root.querySelector('[data-do="play"]').setAttribute('aria-pressed', 'false');
}

function play() {
  if (player) return stop();
  const scrub = find('scrub');
  if (scrub.disabled) return undefined;
  if (state.view === 'map') state.view = 'deletion';
  if (state.at >= +scrub.max) state.at = 0;
  root.querySelector('[data-do="play"]').setAttribute('aria-pressed', 'true');
  player = setInterval(() => {
    state.at++;
    if (state.at >= +scrub.max) stop();
    redraw();
  }, 450);
  return redraw();
}

function front() {
  return methodOf(state.chosen[0]);
}

function savePicture() {
  const method = front();
  const map = method && mapOf(method);
  if (!map || !map.values) return;
  const score = scoreOf(method);
  const about = headed() && method.needs_target ? ` · ${here.classes[state.target]}${method.contrastive && state.rival !== null ? ` rather than ${here.classes[state.rival]}` : ''}` : '';
  const lines = [`${method.label}${about}`, `${here.model} · colours from the 2nd to the 98th percentile of this map`];
  if (score && !score.error) lines.push(`insertion ${area(score.insertion)} · deletion ${area(score.deletion)} on this photo, watching “${here.classes[state.target]}”`);
  drawPlate(here.photo, map.shares, here.grid, lines).toBlob((blob) => saveBlob(blob, `${method.name}.png`));
}

// All maps and scores of the class that is chosen, as they stand.
function saveNumbers() {
  const [rows, cols] = here.grid;
  const found = usable().map((m) => {
    const { values } = mapOf(m);
    const heatmap = Array.from({ length: rows }, (_, r) => Array.from(values.subarray(r * cols, (r + 1) * cols)));
    const seeds = m.name === 'random' ? { scores_by_seed: scoresOfRandom(m) } : {};
    const rival = m.contrastive && state.rival !== null ? here.classes[state.rival] : null;
    return { method: m.name, rival, heatmap, score: scoreOf(m) || null, ...seeds };
  });
  const watched = headed() ? { index: state.target, name: here.classes[state.target] } : null;
  const all = {
    manifest: here.manifest, watched, score: 'insertion and deletion by patches: areas under the probability of the watched class',
    blur_sigma: here.sigma, mean_colour: here.colour, maps: found, agreement: agreements.get(agreeKey()) || null,
  };
  saveBlob(new Blob([JSON.stringify(all, null, 1)], { type: 'application/json' }), 'explanations.json');
}

function showChecks(method) {
  const words = [];
  for (const what of ['stability', 'dependence']) {
    const key = method && checkKey(what, method);
    const found = checks.get(key);
    const wanted = state.asked.some((each) => each.what === what && each.method === method.name);
    const button = root.querySelector(`[data-do="${what}"]`);
    button.disabled = Boolean(found) || wanted || method.baseline || method.slow || !mapOf(method);
    if (found) words.push(found.error || checkWords(what, found.value, method.label));
    else if (wanted) words.push('Measuring: this takes several maps …');
  }
  if (method.slow) words.push('These two checks need many maps; for this method they are left to Python: visualize.stability and visualize.model_dependence.');
  find('checked').textContent = words.join(' ');
}

root.addEventListener('click', (event) => {
  const button = event.target.closest('[data-view], [data-order], [data-do]');
  if (!button || !here) return;
  if (button.dataset.view) { stop(); state.view = button.dataset.view; redraw(); }
  if (button.dataset.order) { state.order = button.dataset.order; redraw(); }
  const act = button.dataset.do;
  if (act === 'play') play();
  if (act === 'no-rival') { aim(state.target, null); rivalChooser.focus(); }
  if (act === 'picture') savePicture();
  if (act === 'numbers') saveNumbers();
  if (act === 'stability' || act === 'dependence') {
    state.asked.push({ what: act, method: front().name });
    pump();
    redraw();
  }
});
find('scrub').addEventListener('input', (event) => {
  stop();
  if (state.view === 'map') state.view = 'deletion';
  state.at = +event.target.value;
  redraw();
});

// The page says that another photo is on its way, or that it failed and the last one is back.
onPage('explorer:begin', () => begin('Looking at the photo …', 'busy'));
onPage('explorer:last', () => { if (!here) load(); });
onPage('explain:failed', () => {
  if (!pending) return;
  keep(pending, { error: 'The server could not compute this. Choose the class again for another try.', again: true });
  pending = null;
  pump();
});

new ResizeObserver(() => { redraw(); pump(); }).observe(root); // also when the tab comes into sight
watch('value', load);
load();
