// Pictures of one block, opened at the chosen layer, head and token. Each takes the view.

const sheetOf = (view, key, title, width, height = 150) =>
  sheetPicture(view.layer[key], { mark: view.query, title, of: [view.tokens, width], height });
const rowFor = (view, key) => view.choice[`row_${key}`].data;
const inHead = (view) => `layer ${view.at.layer + 1}, head ${view.at.head + 1}`;
const spread = (values) => `mean ${figure(meanOf(values))} · deviation ${figure(deviationOf(values))}`;
const patchesOf = (view, array) => array.data.subarray(view.facts.prefix.length);

DRAW.norm = (view) => [
  strip('token', rowFor(view, 'x'), { right: spread(rowFor(view, 'x')) }),
  strip('normalised', rowFor(view, 'normed'), { right: spread(rowFor(view, 'normed')) }),
  beside('even', sheetOf(view, 'x', 'All tokens as they come in', view.facts.width, 210), sheetOf(view, 'normed', 'All tokens normalised', view.facts.width, 210)),
  note(`Layer ${view.at.layer + 1}, ${nameOf(view.facts, view.query)}. After γ and β, mean and deviation are no longer exactly 0 and 1.`),
];

DRAW.qkv = (view) => {
  const { choice, facts } = view;
  const d = facts.head_width;
  const one = (key, name) => sheetPicture(choice[key], { mark: view.query, title: name, of: [view.tokens, d], height: 230 });
  return [
    beside('three', one('qs', 'Queries'), one('k', 'Keys'), one('v', 'Values')),
    strip('chosen query', choice.q.data, { count: 6 }),
    note(`The three tables of ${inHead(view)}: a line per token, ${d} numbers each. The query is that of ${nameOf(facts, view.query)}.`),
  ];
};

DRAW.scores = (view) => {
  const scores = patchesOf(view, view.choice.scores);
  const ends = [Math.min(...scores), Math.max(...scores)];
  const map = Float32Array.from(scores, (v) => (v - ends[0]) / (ends[1] - ends[0] || 1));
  const front = view.facts.prefix.map((name, i) => `${name} ${figure(view.choice.scores.data[i])}`).join(' · ');
  return [
    beside('narrow-first',
      stack(
        photoPicture(view, { values: map, title: `Scores of ${nameOf(view.facts, view.query)}`, note: `from ${figure(ends[0])}, dark, to ${figure(ends[1])}, bright` }),
        front && note(`Tokens in front: ${front}`)),
      gridTable(view, scores, `The same scores as numbers, ${inHead(view)}`)),
    strip('query', view.choice.q.data, { count: 4 }), sign('·'),
    strip('best key', rowOf(view.choice.best_k, 0), { count: 4, right: `score ${figure(view.choice.scores.data[view.choice.best.data[0]])}` }),
  ];
};

DRAW.softmax = (view) => {
  const { choice, facts } = view;
  const weights = patchesOf(view, choice.weights);
  const best = [...choice.best.data];
  const rest = 1 - best.reduce((sum, token) => sum + choice.weights.data[token], 0);
  return [
    beside('even',
      photoPicture(view, { values: weights, title: `Attention of ${nameOf(facts, view.query)}`, note: `${inHead(view)}; brightest ${percent(Math.max(...weights))}` }),
      captioned(
        tokenList(view, best, [(t) => figure(choice.scores.data[t]), (t) => percent(choice.weights.data[t])], (t) => choice.weights.data[t]),
        'The largest: score, then share', `the other ${view.tokens - best.length} tokens share ${percent(Math.max(0, rest))}`)),
    gridTable(view, Float32Array.from(weights, (v) => 100 * v), 'Shares in percent, in the places of their patches'),
  ];
};

DRAW.mix = (view) => {
  const { choice, facts } = view;
  const d = facts.head_width;
  const scale = reachOf(choice.best_v.data);
  const best = [...choice.best.data];
  const lines = best.map((token, i) => {
    const front = token < facts.prefix.length;
    return strip(` × ${percent(choice.weights.data[token])}${front ? ` ${facts.prefix[token]}` : ''}`, rowOf(choice.best_v, i), {
      scale, count: 0, right: '', before: front ? node('span', '', { class: 'an-nopatch' }) : patchPicture(view, token - facts.prefix.length, 22),
    });
  });
  return [
    captioned(stack(...lines), `Values of the ${best.length} largest shares`, `${inHead(view)}; ${d} numbers each`),
    sign(view.tokens > best.length ? `+ ${view.tokens - best.length} smaller ones =` : '='),
    strip('mixture', rowOf(choice.mixed, view.at.head), { scale: reachOf(rowOf(choice.mixed, view.at.head)), count: 6 }),
  ];
};

DRAW.join = (view) => {
  const { choice, facts } = view;
  const [h, d] = choice.mixed.shape;
  const lengths = Array.from({ length: h }, (_, i) => lengthOf(rowOf(choice.mixed, i)));
  const bars = node('div', undefined, { class: 'an-heads' });
  lengths.forEach((length, i) => {
    const bar = node('button', undefined, { type: 'button', 'aria-pressed': String(i === view.at.head), title: `Open head ${i + 1}` });
    const fill = node('i');
    fill.style.setProperty('--share', length / Math.max(...lengths));
    bar.append(fill, node('span', `head ${i + 1}`), node('b', figure(length)));
    bar.addEventListener('click', () => choose({ head: i }));
    bars.append(bar);
  });
  return [
    strip(`${h} × ${d}`, choice.mixed.data, { parts: h, count: 0 }),
    captioned(bars, 'How long each head’s result is', 'click a head to open it'),
    strip('update', rowFor(view, 'update'), { count: 6 }),
    beside('even', sheetOf(view, 'joined', 'All tokens, heads side by side', facts.width, 170), sheetOf(view, 'update', 'All updates', facts.width, 170)),
  ];
};

function addition(view, before, update, after, number) {
  const scale = reachOf(rowFor(view, after));
  const factor = view.choice[`scale${number}`];
  const part = lengthOf(factor ? rowFor(view, update).map((v, i) => v * factor.data[i]) : rowFor(view, update)) / lengthOf(rowFor(view, before));
  return [
    strip('token before', rowFor(view, before), { scale }), sign('+'),
    factor && strip('learned factors', factor.data, { count: 4, right: `mean ${figure(meanOf(factor.data))}` }),
    factor && sign('×'),
    strip('update', rowFor(view, update), { scale }), sign('='),
    strip('token after', rowFor(view, after), { scale }),
    note(`What is added is ${percent(part)} as long as the token, ${nameOf(view.facts, view.query)}, layer ${view.at.layer + 1}.`),
    beside('even', sheetOf(view, before, 'All tokens before', view.facts.width, 130), sheetOf(view, after, 'All tokens after', view.facts.width, 130)),
  ];
}

DRAW.residual = (view) => addition(view, 'x', 'update', 'middle', 1);
DRAW.residual2 = (view) => addition(view, 'middle', 'update2', 'out', 2);

// The bend as the block computed it: each dot is one number of the chosen token before and after.
function bend(view) {
  const [wide, hidden] = [rowFor(view, 'wide'), rowFor(view, 'hidden')];
  const before = view.facts.mlp === 'swiglu' ? wide.subarray(0, hidden.length) : wide;
  const [width, height, pad] = [300, 170, 26];
  const low = Math.min(-1, ...before);
  const high = Math.max(1, ...before);
  const bottom = Math.min(0, ...hidden);
  const top = Math.max(1, ...hidden);
  const x = (v) => pad + ((width - pad - 8) * (v - low)) / (high - low);
  const y = (v) => height - 20 - ((height - 30) * (v - bottom)) / (top - bottom);
  const plot = svgNode('svg', { viewBox: `0 0 ${width} ${height}`, class: 'an-chart', role: 'img', 'aria-label': 'Numbers before and after the bend' });
  plot.append(svgNode('line', { x1: pad, x2: width - 8, y1: y(0), y2: y(0), class: 'rule' }), svgNode('line', { x1: x(0), x2: x(0), y1: 10, y2: height - 20, class: 'rule' }));
  for (let i = 0; i < before.length; i++) plot.append(svgNode('circle', { cx: x(before[i]).toFixed(1), cy: y(hidden[i]).toFixed(1), r: 1.7, class: 'dot' }));
  for (const v of [low, 0, high]) plot.append(svgNode('text', { x: x(v), y: height - 6, 'text-anchor': v === low ? 'start' : v === high ? 'end' : 'middle' }, figure(v)));
  plot.append(svgNode('text', { x: pad - 4, y: y(top) + 8, 'text-anchor': 'end' }, figure(top)));
  return captioned(plot, 'The bend, dot by dot', 'across: before; up: after');
}

DRAW.mlp = (view) => {
  const { facts } = view;
  const hidden = rowFor(view, 'hidden');
  const open = hidden.filter((v) => v > 0).length;
  return [
    strip(`normalised, ${facts.width}`, rowFor(view, 'normed2')),
    strip(`widened, ${rowFor(view, 'wide').length}`, rowFor(view, 'wide')),
    strip(`bent, ${hidden.length}`, hidden, { right: `${percent(open / hidden.length)} above 0` }),
    strip(`update, ${facts.width}`, rowFor(view, 'update2')),
    beside('even', bend(view), sheetOf(view, 'hidden', 'All tokens after the bend', facts.hidden, 150)),
  ];
};
