// State, loading and moving between steps.

const root = element.querySelector('.anatomy');
const find = (role) => root.querySelector(`[data-an="${role}"]`);

let view = null; // what is shown: the value of the server, its files opened
let loading = 0; // counts loads, so that a late answer is dropped
let key = ''; // the step in sight
let waiting_for = null; // a choice made elsewhere while this part was out of sight
let asked = ''; // the run whose slips were asked for
let failed = ''; // the run whose slips could not be had
let built = ''; // the run that the lists to choose from are about

const steps = () => (view ? view.value.steps : []);
const now = () => Math.max(0, steps().findIndex((step) => step.key === key));
const inSight = () => root.isConnected && root.offsetParent !== null;

function veil(text, kind) {
  root.dataset.state = kind;
  find('veil').textContent = text;
}

async function load() {
  const value = props.value;
  const mine = ++loading;
  delete root.dataset.complete;
  if (!value || !value.files) {
    view = null;
    veil('Drop a photo on the left, paste one, or choose an example.', 'empty');
    return;
  }
  if (!view || view.value.run !== value.run) {
    view = null;
    veil('Opening the numbers …', 'busy');
  }
  try {
    const names = Object.keys(value.files);
    const got = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await fetchOnce(value.files[name])])));
    if (mine !== loading) return;
    const { at, facts } = value;
    const prefix = facts.prefix.length;
    const before = view ? view.patch : facts.grid[1] * Math.floor(facts.grid[0] / 2) + Math.floor(facts.grid[1] / 2);
    view = {
      ...got, value, at, facts, wrong: got.slips, slips: value.slips, query: at.query, tokens: prefix + facts.patches,
      patch: at.query >= prefix ? at.query - prefix : before,
      neighbours: names.filter((name) => name.startsWith('neighbour')).map((name) => got[name]),
    };
    window.anatomyChoice = at;
    if (!steps().some((step) => step.key === key)) key = steps()[0].key;
    if (built !== value.run) build();
    built = value.run;
    veil('', 'ready');
    show();
    catchUp();
  } catch (error) {
    if (mine !== loading) return;
    view = null;
    veil(error.message === 'expired'
      ? 'The server has let go of this photo’s numbers. Drop the photo again to see them.'
      : 'The server cannot be reached. Check the connection and drop the photo again.', 'error');
  }
}

// The bar of steps, the lists to choose from: what depends on the photo and the model.
function build() {
  const bar = find('bar');
  const { facts } = view;
  const groups = props.chapters.map((name, chapter) => {
    const own = steps().filter((step) => step.chapter === chapter);
    const group = node('div', undefined, { class: 'an-chapter' });
    group.style.setProperty('--steps', own.length);
    const segments = node('div', undefined, { class: 'an-segments' });
    for (const step of own) segments.append(node('button', undefined, { type: 'button', 'data-step': step.key, title: step.title, 'aria-label': step.title }));
    const label = node('button', name, { type: 'button', class: 'an-name', 'data-step': own[0].key });
    group.append(label, segments);
    return group;
  });
  bar.replaceChildren(...groups);
  find('jump').replaceChildren(...steps().map((step, i) => node('option', `${i + 1}  ${step.title}`, { value: step.key })));
  const options = (count, word) => Array.from({ length: count }, (_, i) => node('option', `${word}${i + 1}`, { value: i }));
  find('layer').replaceChildren(...options(facts.depth, ''));
  find('head').replaceChildren(...options(facts.heads, ''));
  find('token').replaceChildren(...Array.from({ length: view.tokens }, (_, i) => node('option', placeOf(facts, i), { value: i })));
}

function show() {
  const step = steps()[now()];
  find('place').textContent = `${props.chapters[step.chapter]} · step ${now() + 1} of ${steps().length}`;
  find('title').textContent = step.title;
  find('words').replaceChildren(...step.words.map((text) => node('p', text)));
  find('formulas').replaceChildren(...step.formulas.map(formula));
  find('paper').textContent = step.paper;
  if (step.url) find('paper').href = step.url;
  else find('paper').removeAttribute('href');
  find('shapes').replaceChildren(...step.shapes.map(shapeRow));
  root.querySelector('.an-shapes').hidden = !step.shapes.length;
  find('sources').replaceChildren(...step.sources.map((name) => sourceBlock(props.snippets[name])));
  find('layer').value = view.at.layer;
  find('head').value = view.at.head;
  find('token').value = view.query;
  find('jump').value = step.key;
  const chosen = ['token', 'layer', 'head'].map((name) => (USES[step.key] ?? USES[step.chapter]).includes(name));
  ['token', 'layer', 'head'].forEach((name, i) => { find(`${name}-label`).hidden = !chosen[i]; });
  find('token-label').firstChild.textContent = step.chapter === 0 ? 'patch ' : 'token ';
  const here = now();
  for (const button of root.querySelectorAll('.an-segments button')) {
    const at = steps().findIndex((each) => each.key === button.dataset.step);
    button.dataset.time = at < here ? 'past' : at === here ? 'now' : 'later';
    if (at === here) button.setAttribute('aria-current', 'step');
    else button.removeAttribute('aria-current');
  }
  root.querySelectorAll('.an-name').forEach((label, i) => label.classList.toggle('now', i === step.chapter));
  for (const button of root.querySelectorAll('[data-go]')) button.disabled = !steps()[here + +button.dataset.go];
  find('body').dataset.step = step.key;
  view.failed = failed === view.value.run;
  delete root.dataset.busy;
  find('figure').replaceChildren(...DRAW[step.key](view).filter(Boolean));
  root.dataset.step = step.key;
  if (step.chapter === 4 && !view.slips) {
    if (asked !== view.value.run && inSight()) { asked = view.value.run; trigger('slips'); }
    return; // complete once they are there
  }
  root.dataset.look = view.value.look;
  root.dataset.complete = view.value.run;
}

// Which choices a step depends on, by chapter or by its key.
const USES = {
  0: ['token'], 1: ['token', 'layer', 'head'], 2: ['token', 'layer', 'head'], 3: [], 4: [],
  photo: [], crop: [], norm: ['token', 'layer'], residual: ['token', 'layer'], mlp: ['token', 'layer'], residual2: ['token', 'layer'],
};

function go(to) {
  if (!view || !steps().some((step) => step.key === to)) return;
  key = to;
  delete root.dataset.complete;
  show();
  find('spoken').textContent = `Step ${now() + 1}: ${steps()[now()].title}`;
  const top = root.getBoundingClientRect().top;
  if (top < 0) root.scrollIntoView({ block: 'start' });
}

const move = (by) => { const step = steps()[now() + by]; if (step) go(step.key); };

// Another layer, head or token: a short call that brings what depends on it.
function choose(change, mine = true) {
  if (!view) return;
  const wanted = { ...view.at, ...change };
  if (wanted.layer === view.at.layer && wanted.head === view.at.head && wanted.query === view.at.query) return;
  window.anatomyChoice = wanted;
  if (mine) publishChoice('anatomy', wanted);
  delete root.dataset.complete;
  root.dataset.busy = 'yes';
  trigger('choose');
}

onChoice('anatomy', ({ layer, head, query }) => {
  const home = view && view.facts.prefix.length ? 0 : -1;
  const change = { layer };
  if (typeof head === 'number') change.head = head;
  if (query >= 0 && query !== home) change.query = query;
  waiting_for = { ...waiting_for, ...change };
  window.anatomyChoice = { ...window.anatomyChoice, ...change };
  catchUp();
});

// A choice that was made elsewhere is followed as soon as this part is in sight.
function catchUp() {
  if (!view || !inSight()) return;
  const change = waiting_for;
  waiting_for = null;
  if (change) choose(change, false);
}
new IntersectionObserver(() => {
  catchUp();
  if (view && inSight() && !root.dataset.complete) show(); // the slips may be wanted by now
}).observe(root);

root.addEventListener('click', (event) => {
  const button = event.target.closest('[data-step], [data-go]');
  if (!button || !root.contains(button) || button === root || button === find('body')) return;
  if (button.dataset.go) move(+button.dataset.go);
  else go(button.dataset.step);
});
root.addEventListener('change', (event) => {
  const name = event.target.dataset.an;
  if (name === 'jump') go(event.target.value);
  else if (name === 'layer' || name === 'head') choose({ [name]: +event.target.value });
  else if (name === 'token') choose({ query: +event.target.value });
});

// Arrow keys work wherever the focus is, unless it is in something that has a use for them.
function keys(event) {
  if (!root.isConnected) return document.removeEventListener('keydown', keys);
  if (!view || !inSight() || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const busy = event.target.closest?.('input, select, textarea, [contenteditable], pre, [role="listbox"], [role="slider"]');
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || busy) return;
  event.preventDefault();
  move(by);
}
document.addEventListener('keydown', keys);

// A failed call leaves what is shown; light and dark repaint it.
element.addEventListener('anatomy:last', () => {
  if (!view || root.dataset.complete) return;
  window.anatomyChoice = view.at;
  if (steps()[now()].chapter === 4 && !view.slips) failed = view.value.run;
  show();
});
new MutationObserver(() => { if (view && inSight()) show(); }).observe(document.body, { attributes: true, attributeFilter: ['class'] });
watch('value', load);
load();
