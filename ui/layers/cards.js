// A card for every head: its map, one word and one phrase; the numbers beside the plots when it is pointed at.

const MEASURES = [
  { key: 'distance', name: 'distance', words: (v) => `${v.toFixed(0)} px`, part: (v) => v / (1.25 * data.even) },
  { key: 'entropy', name: 'entropy (of 1)', words: (v) => v.toFixed(2) },
  { key: 'class_token', name: 'on the class token', words: percent },
  { key: 'registers', name: 'on registers', words: percent },
  { key: 'itself', name: 'on itself', words: percent },
  { key: 'locality', name: 'on its neighbourhood', words: percent },
  { key: 'sinks', name: 'on the top 1% of tokens', words: percent },
  { key: 'positional', name: 'patches with one offset', words: percent },
];

// Only what this model has.
const measuresHere = () => MEASURES.filter(({ key }) => {
  if (key === 'registers') return data.prefix.some((name) => name.startsWith('register'));
  return key !== 'class_token' || data.prefix.some((name) => name.startsWith('class'));
});

const valueOf = (key, layer, head) => data.measures[key][layer][head];

function offsetWords([down, right]) {
  if (!down && !right) return 'at themselves';
  const parts = [];
  if (down) parts.push(`${Math.abs(down)} ${down > 0 ? 'down' : 'up'}`);
  if (right) parts.push(`${Math.abs(right)} to the ${right > 0 ? 'right' : 'left'}`);
  return parts.join(', ');
}

function phraseOf(layer, head) {
  const v = (key) => valueOf(key, layer, head);
  switch (data.tags[layer][head]) {
    case 'sink': return `${percent(v('sinks'))} of attention goes to the top 1% of tokens`;
    case 'class token': return `patches give it ${percent(v('class_token'))} of their attention`;
    case 'positional': return `${percent(v('positional'))} of patches look ${offsetWords(data.offsets[layer][head])}`;
    case 'local': return `patches look nearby, ${v('distance').toFixed(0)} px away`;
    case 'global': return `patches look far, ${v('distance').toFixed(0)} px away`;
    default: return `patches look ${v('distance').toFixed(0)} px away on average`;
  }
}

function drawHead(canvas, layer, head) {
  const values = detail.maps[layer][head];
  drawSmall(canvas, values, 0, data.grid, scaleFor('clipped', [values], 0), TABLES.inferno);
}

function numbersOf(layer, head) {
  const list = node('dl', undefined, { class: 'ly-numbers' });
  for (const { key, name, words, part } of measuresHere()) {
    const value = valueOf(key, layer, head);
    const row = node('dd', words(value));
    row.style.setProperty('--share', Math.min(1, part ? part(value) : value));
    list.append(node('dt', name), row);
  }
  return list;
}

// The head that is pointed at, beside the plots.
function showHead(layer, head) {
  if (!data) return;
  view.pointed = [layer, head];
  const canvas = node('canvas', undefined, { 'aria-hidden': 'true' });
  drawHead(canvas, layer, head);
  const title = node('p', `Layer ${layer + 1}, head ${head + 1}`, { class: 'ly-name' });
  const tag = node('span', data.tags[layer][head], { class: 'ly-tag' });
  const first = node('div', undefined, { class: 'ly-first' });
  const words = node('div');
  words.append(title, tag, node('p', capital(phraseOf(layer, head)), { class: 'ly-phrase' }));
  first.append(canvas, words);
  find('head-detail').replaceChildren(first, numbersOf(layer, head));
  for (const dot of root.querySelectorAll('.ly-plot [data-at]')) {
    dot.classList.toggle('pointed', dot.dataset.at === `${layer}.${head}`);
  }
}

// The card of the head that the explorer shows.
function markCard({ layer, head }) {
  for (const { layer: l, head: h, card } of cards) card.setAttribute('aria-pressed', String(l === layer && h === head));
}

function openInExplorer(layer, head) {
  markCard({ layer, head });
  publishChoice('layers', { layer, head, query: data.prefix.length ? 0 : -1 });
  const tab = [...document.querySelectorAll('#tabs [role="tab"]')].find((button) => button.textContent.trim() === 'Explore');
  if (tab) tab.click();
}

function cardOf(layer, head) {
  const card = node('button', undefined, { type: 'button', class: 'ly-card', 'data-at': `${layer}.${head}`, 'data-tag': data.tags[layer][head] });
  card.setAttribute('aria-label', `Layer ${layer + 1}, head ${head + 1}, ${data.tags[layer][head]}: ${phraseOf(layer, head)}. Open in the explorer.`);
  const canvas = node('canvas');
  drawHead(canvas, layer, head);
  const words = node('span', undefined, { class: 'ly-about' });
  words.append(node('b', `Layer ${layer + 1}, head ${head + 1}`), node('i', data.tags[layer][head], { class: 'ly-tag' }), node('span', phraseOf(layer, head), { class: 'ly-phrase' }));
  words.append(node('span', '', { class: 'ly-value' }));
  card.append(canvas, words, numbersOf(layer, head));
  card.addEventListener('pointerenter', () => showHead(layer, head));
  card.addEventListener('focus', () => showHead(layer, head));
  card.addEventListener('click', () => openInExplorer(layer, head));
  return card;
}

function buildCards() {
  const depth = data.tags.length;
  cards.length = 0;
  for (let l = 0; l < depth; l++) for (let h = 0; h < data.tags[l].length; h++) cards.push({ layer: l, head: h, card: cardOf(l, h) });
  const options = (name, entries, kept) => {
    const select = root.querySelector(`[data-pick="${name}"]`);
    select.replaceChildren(...entries.map(([value, text]) => node('option', text, { value })));
    select.value = entries.some(([value]) => `${value}` === kept) ? kept : entries[0][0];
    view[name] = select.value;
  };
  options('layer', [['all', 'all'], ...data.tags.map((_, l) => [l, l + 1])], view.layer);
  const sorts = measuresHere().flatMap(({ key, name }) => [[`${key} 1`, `${name}, least first`], [`${key} -1`, `${name}, most first`]]);
  options('sort', [['layer', 'layer and head'], ...sorts], view.sort);
  showRules();
}

function arrangeCards() {
  const of = { all: cards.length };
  for (const { layer, head } of cards) of[data.tags[layer][head]] = (of[data.tags[layer][head]] || 0) + 1;
  if (!of[view.tag]) view.tag = 'all';
  find('chips').replaceChildren(...['all', ...Object.keys(data.thresholds), 'mixed'].filter((tag) => of[tag]).map((tag) => {
    const chip = node('button', `${tag} ${of[tag]}`, { type: 'button', 'data-chip': tag, 'aria-pressed': String(view.tag === tag) });
    return chip;
  }));
  const shown = cards.filter(({ layer, head }) =>
    (view.tag === 'all' || data.tags[layer][head] === view.tag) && (view.layer === 'all' || layer === +view.layer));
  const [key, sign] = view.sort.split(' ');
  const measure = MEASURES.find((m) => m.key === key);
  if (measure) shown.sort((a, b) => +sign * (valueOf(key, a.layer, a.head) - valueOf(key, b.layer, b.head)) || a.layer - b.layer || a.head - b.head);
  for (const { layer, head, card } of shown) {
    card.querySelector('.ly-value').textContent = measure ? `${measure.name} ${measure.words(valueOf(key, layer, head))}` : '';
  }
  const most = view.every || !window.matchMedia('(max-width: 820px)').matches ? shown.length : 12; // a phone scrolls less
  find('cards').replaceChildren(...shown.slice(0, most).map(({ card }) => card));
  find('rest').hidden = shown.length <= most;
  find('rest').textContent = `Show the other ${shown.length - most} heads`;
  if (!shown.length) find('cards').replaceChildren(node('p', 'No head of this layer has that tag.', { class: 'ax-note' }));
  if (shown.length) showHead(shown[0].layer, shown[0].head);
}

function showRules() {
  const t = data.thresholds;
  const px = (value) => `${value.toFixed(0)} px`;
  const rules = [
    ['sink', `the top 1% of the tokens beside the class token receive at least ${percent(t.sink)} of all attention`],
    ['class token', `the patches give the class token (and distillation token) at least ${percent(t['class token'])}`],
    ['positional', `at least ${percent(t.positional)} of the patches look most at the same offset, whatever is in the photo`],
    ['local', `the mean distance is at most ${px(t.local)}, half of what even attention has (${px(data.even)})`],
    ['global', `the mean distance is at least ${px(t.global)}, 0.8 of what even attention has`],
    ['mixed', 'none of these'],
  ];
  find('rules').replaceChildren(...rules.flatMap(([tag, text]) => [node('dt', tag, { class: 'ly-tag' }), node('dd', text)]));
}

function showPlots() {
  const { distance, entropy } = data.measures;
  const usual = data.average;
  const flat = [...distance.flat(), ...(usual ? usual.distance.flat() : []), data.even];
  dotPlot(find('distance'), distance, usual && usual.distance, ticksTo(Math.max(...flat)), data.even, showHead);
  dotPlot(find('entropy'), entropy, usual && usual.entropy, [0, 0.25, 0.5, 0.75, 1], 0, showHead);
  const key = find('plot-key');
  key.replaceChildren(node('span', 'each head on this photo', { class: 'k-here' }));
  key.append(node('span', 'even attention', { class: 'k-even' }));
  if (usual) key.append(node('span', `its mean over ${usual.photos} photos`, { class: 'k-usual' }));
  key.append(node('span', usual ? 'Left to right: layers. Lines: their means.' : 'Left to right: layers. No average over many photos is known for this model at this size.'));
}
