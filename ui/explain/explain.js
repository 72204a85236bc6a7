// What is known, what to ask next, and the start. One question is on its way at a time; the answer brings the next. So
// other visitors have their turn in between, and a new class or photo only changes what is asked next.

const root = element.querySelector('.ax');
const find = (name) => root.querySelector(`[data-part="${name}"]`);

let run = ''; // the photo that all of this is about; '' when there is none to show
let here = null; // its pictures, classes and methods
let maps = new Map(); // by what a map depends on: {values, shares, order} or {error}
let scores = new Map(); // by map and watched class
let agreements = new Map();
let checks = new Map();
let begun = new Map(); // by map: the share that is there of one that comes in pieces
let pending = null; // the question that is on its way
let serial = 0;
let frame = 0;
let player = 0;
const state = { target: null, rival: null, chosen: [], view: 'map', order: 'list', at: 0, wanted: new Set(), asked: [], total: 0 };

const methodOf = (name) => here.methods.find((method) => method.name === name);
const headed = () => here.classes.length > 0;
const mapKey = (m, seed = 0) => [m.name, seed, m.needs_target ? state.target : '', m.contrastive ? state.rival : ''].join('|');
const scoreKey = (m, seed = 0) => `${mapKey(m, seed)}|${state.target}`;
const mapOf = (m, seed) => maps.get(mapKey(m, seed));
const wants = (m) => !m.slow || state.wanted.has(m.name) || Boolean(mapOf(m));
const computed = () => here.methods.filter(wants);
const usable = () => computed().filter((m) => mapOf(m) && mapOf(m).values);

function scoresOfRandom(m) {
  const found = Array.from({ length: here.seeds }, (_, seed) => scores.get(scoreKey(m, seed))).filter((s) => s && !s.error);
  return found.length ? found : [];
}

// The score on a card: of a random map the mean over its seeds, once all are there.
function scoreOf(m) {
  if (m.name !== 'random') return scores.get(scoreKey(m));
  const found = scoresOfRandom(m);
  return found.length === here.seeds ? meanScore(found) : undefined;
}

// Everything that is still to be asked, in order: what the visitor asked for by a button, then all maps, then scores.
function* questions() {
  for (const m of here.methods.filter((each) => each.slow && state.wanted.has(each.name))) if (!mapOf(m)) yield { what: 'map', method: m.name };
  for (const { what, method } of state.asked) if (!checks.has(checkKey(what, methodOf(method)))) yield { what, method };
  for (const m of computed()) if (!mapOf(m)) yield { what: 'map', method: m.name };
  if (headed()) {
    const single = computed().filter((m) => m.name !== 'random' && !(mapOf(m) && mapOf(m).error));
    single.sort((a, b) => Number(b.baseline) - Number(a.baseline)); // the centre first
    for (const m of single) if (!scores.has(scoreKey(m))) yield { what: 'score', method: m.name };
    const random = methodOf('random');
    for (let seed = 0; seed < here.seeds; seed++) if (!scores.has(scoreKey(random, seed))) yield { what: 'score', method: 'random', seed };
  }
  if (usable().length > 1 && !agreements.has(agreeKey())) yield { what: 'agreement', names: usable().map((m) => m.name) };
}

const agreeKey = () => usable().map((m) => mapKey(m)).join(' ');
const checkKey = (what, m) => `${what} ${mapKey(m)}`;

function pump() {
  if (pending || !here || !root.offsetParent) return; // out of sight, nothing is asked
  const next = questions().next().value;
  if (next) {
    delete root.dataset.complete;
    pending = { run, serial: ++serial, method: '', seed: 0, target: state.target, rival: state.rival, ...next };
    const m = next.method && methodOf(next.method);
    pending.key = next.what === 'agreement' ? agreeKey() : next.what === 'map' ? mapKey(m) : next.what === 'score' ? scoreKey(m, pending.seed) : checkKey(next.what, m);
    trigger('measure', pending);
  } else root.dataset.complete = run;
  redraw();
}

// An error stands in the place of what was asked; one that may pass (`again`) is forgotten at the next choice of a class.
function keep(question, answer) {
  const failed = answer.error ? { error: answer.error, again: answer.again } : null;
  if (question.what === 'map') {
    if (failed) return maps.set(question.key, failed);
    const values = mapFrom(answer.map);
    return maps.set(question.key, { id: question.key, values, order: orderOf(values), ...spread(values) });
  }
  if (question.what === 'score') return scores.set(question.key, failed || answer.score);
  if (question.what === 'agreement') return agreements.set(question.key, failed ? null : { names: question.names, numbers: answer.agreement });
  return checks.set(question.key, failed || { value: answer.value });
}

function redraw() {
  if (!frame) frame = requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  if (!here || !root.offsetParent) return;
  const scored = new Map();
  for (const m of usable()) {
    const score = scoreOf(m);
    if (score && !score.error) scored.set(m.name, score);
  }
  const labels = Object.fromEntries(here.methods.map((m) => [m.name, m.label]));
  const randoms = scoresOfRandom(methodOf('random'));
  const centre = scored.get('centre');
  const left = [...questions()];
  const busy = left.some((q) => q.what === 'map' || q.what === 'score');
  const bar = randoms.length === here.seeds ? barOf(centre, randoms) : null;
  const early = barOf(centre, randoms);
  const ranks = busy ? new Map() : ranksOf(scored);
  const all = [...scored.values()].map(worth);
  const range = all.length ? [Math.min(0, ...all, early ? early.low : 0), Math.max(...all)] : [0, 1];
  const name = headed() ? here.classes[state.target] : '';

  // What was chosen stays while its map for another class is on its way; only what has no map leaves.
  state.chosen = state.chosen.filter((n) => wants(methodOf(n)) && !(mapOf(methodOf(n)) || {}).error);
  if (!state.chosen.length) {
    const best = usable().find((m) => !m.baseline);
    if (best) state.chosen = [best.name];
  }
  for (const m of here.methods) {
    const now = pending && pending.method === m.name && pending.key.startsWith(mapKey(m, pending.seed)) && (pending.what === 'map' || pending.what === 'score');
    fillCard(here.cards[m.name], m, {
      map: mapOf(m), score: scoreOf(m), rank: ranks.get(m.name), of: ranks.size, bar: early, settled: Boolean(bar), range,
      chosen: state.chosen.includes(m.name), first: state.chosen[0] === m.name, asked: wants(m), done: begun.get(mapKey(m)),
      waiting: headed() ? Boolean(now) : now ? true : null, photo: here.photo, grid: here.grid,
    });
  }
  arrange(ranks, busy);
  showVerdict(name, scored, labels, bar, busy, left.length);
  const first = methodOf(state.chosen[0] || 'attention');
  const rival = state.rival === null ? '' : first.contrastive ? ` Here: for “${name}” and against “${here.classes[state.rival]}”.` : ' It knows no rival class: this is the map without one.';
  const score = first.name === 'random' ? randoms[0] : scoreOf(first); // the random map that is drawn is the first seed's
  const at = score && !score.error ? Math.min(state.at, score.counts.length - 1) : 0;
  showDetail(find, {
    method: first, map: mapOf(first), score, view: state.view, at, photo: here.photo, blurred: here.blurred,
    colour: here.colour, grid: here.grid, name, rivalWords: rival,
  });
  for (const button of root.querySelectorAll('[data-view]')) {
    button.setAttribute('aria-pressed', String(button.dataset.view === state.view));
    button.disabled = button.dataset.view !== 'map' && !(score && !score.error);
  }
  const lines = state.chosen.filter((n) => n !== 'centre' && scored.has(n)).map((n, i) => ({ score: n === 'random' ? randoms[0] : scored.get(n), kind: CURVES[i], label: n === 'random' ? 'Random, the one drawn' : labels[n] }));
  drawCurves(find('curves'), { lines: headed() ? lines : [], randoms, centre, view: state.view, at });
  showLegend(find, lines, randoms.length, Boolean(centre));
  showChecks(first);
  const agreed = agreements.get(agreeKey());
  find('agreement').hidden = !agreed;
  if (agreed && find('matrix').dataset.key !== agreeKey()) {
    drawMatrix(find('matrix'), agreed.names, labels, agreed.numbers);
    find('matrix').dataset.key = agreeKey();
    find('agree-said').textContent = agreementWords(agreed.names.filter((n) => !methodOf(n).baseline), labels, agreed.numbers.filter((_, i) => !methodOf(agreed.names[i]).baseline).map((row) => row.filter((_, j) => !methodOf(agreed.names[j]).baseline)));
  }
}

// Cards as the methods are listed, or the best first. While something is measured they stay where they are.
function arrange(ranks, busy) {
  for (const button of root.querySelectorAll('[data-order]')) button.setAttribute('aria-pressed', String(button.dataset.order === state.order));
  const sorted = state.order === 'rank';
  if (sorted && busy) return;
  const place = (m) => (sorted ? ranks.get(m.name) || Infinity : 0); // those without a score last; equal ones as listed
  orderCards(find('quick'), here.methods.filter((m) => !m.slow).sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b))).map((m) => here.cards[m.name].card), sorted);
}

function rivalRule(name) {
  if (state.rival === null) return '';
  return ` The maps say why “${name}” rather than “${here.classes[state.rival]}”; the scores still watch “${name}” alone.`;
}

function showVerdict(name, scored, labels, bar, busy, left) {
  const progress = find('progress');
  state.total = Math.max(state.total, left);
  const total = state.total || 1;
  progress.classList.toggle('done', !left);
  progress.setAttribute('aria-valuemax', total);
  progress.setAttribute('aria-valuenow', total - left);
  progress.firstElementChild.style.width = `${(100 * (total - left)) / total}%`;
  find('choose').hidden = !headed();
  if (!headed()) {
    find('verdict').textContent = 'This model was trained without labels. It has no class whose probability could be watched, so its maps stand here without scores.';
    find('rule').textContent = 'Maps that explain a class need a head; a model with one has them.';
    return;
  }
  const judged = new Map([...scored].filter(([n]) => !methodOf(n).baseline));
  if (bar && !busy && judged.size) {
    find('verdict').textContent = verdictOf(labels, judged, bar, name);
    find('rule').textContent = ruleOf(bar, here.probabilities, state.target) + rivalRule(name);
  } else {
    find('verdict').textContent = `Measuring how well these maps order the patches for “${name}” …`;
    find('rule').textContent = 'For each map, patches are shown and covered in its order, and the class’s probability is watched.';
  }
}
