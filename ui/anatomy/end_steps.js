// Pictures of all blocks, of the answer, and of what goes wrong otherwise. Each takes the view.

// One row of small maps, one per layer; a click opens that layer.
function layerMaps(view, title, note, rows, { table = 'inferno', signed = false, start = false, common = true }) {
  const { facts } = view;
  const all = rows.map((values) => values.subarray(facts.prefix.length));
  const high = common ? Math.max(...all.map((values) => scaleFor('clipped', [values], 0).high)) : 0;
  const line = node('div', undefined, { class: 'an-layers' });
  all.forEach((values, i) => {
    const layer = start ? i - 1 : i;
    const button = node('button', undefined, { type: 'button', 'aria-pressed': String(layer === view.at.layer) });
    const canvas = node('canvas');
    const placed = signed ? Float32Array.from(values, (v) => Math.max(0, v)) : values;
    drawSmall(canvas, placed, 0, facts.grid, signed ? { kind: 'linear', high: 1, low: 0 } : common ? { kind: 'linear', high, low: 0 } : scaleFor('clipped', [values], 0), TABLES[table]);
    button.append(canvas, node('span', layer < 0 ? 'start' : `${layer + 1}`));
    button.setAttribute('aria-label', layer < 0 ? `${title}, before the first block` : `${title}, layer ${layer + 1}`);
    if (layer < 0) button.disabled = true;
    else button.addEventListener('click', () => choose({ layer }));
    line.append(button);
  });
  return captioned(line, title, note);
}

DRAW.blocks = (view) => {
  const { facts, still, choice } = view;
  const rows = (array) => Array.from({ length: array.shape[0] }, (_, i) => rowOf(array, i));
  const token = nameOf(facts, view.query);
  const of = (array) => rows(array).map((row) => row[view.query]);
  return [
    layerMaps(view, `Whom ${token} attends to`, `head ${view.at.head + 1}; each map in its own range`, rows(choice.course), { common: false }),
    layerMaps(view, 'Which tokens are like it', 'cosine of the angle: dark 0 or less, bright 1', rows(choice.likeness), { table: 'viridis', signed: true, start: true }),
    layerMaps(view, 'How long each token is', `up to ${figure(Math.max(...still.norms.data))}`, rows(still.norms), { table: 'cividis', start: true }),
    layerMaps(view, 'How far each block moved it', 'change divided by length', rows(still.moved), { table: 'magma' }),
    captioned(
      lineChart([{ name: token, values: of(still.norms), kind: 'c0' }, { name: 'mean of all tokens', values: rows(still.norms).map(meanOf), kind: 'c2' }],
        { label: 'Length of the chosen token by layer', mark: view.at.layer + 1, height: 110 }),
      'Its length, layer by layer'),
  ];
};

DRAW.head = (view) => {
  const { facts, still } = view;
  const sheet = sheetPicture(still.final, { title: 'Tokens after the last norm', mark: facts.readout.startsWith('class') ? 0 : -1, of: [view.tokens, facts.width], height: 150 });
  if (!facts.classes) return [sheet];
  const logits = still.logits.data;
  const [low, high] = [Math.min(...logits), Math.max(...logits)];
  const [width, height] = [600, 170];
  const plot = svgNode('svg', { viewBox: `0 0 ${width} ${height}`, class: 'an-chart', role: 'img', 'aria-label': `${logits.length} logits in the order of the classes` });
  const x = (i) => 36 + ((width - 44) * (i + 0.5)) / logits.length;
  const y = (v) => 14 + ((height - 36) * (high - v)) / (high - low || 1);
  for (const v of [low, 0, high]) {
    if (v < low || v > high) continue;
    plot.append(svgNode('line', { x1: 36, x2: width - 8, y1: y(v), y2: y(v), class: 'rule' }), svgNode('text', { x: 30, y: y(v) + 3, 'text-anchor': 'end' }, figure(v)));
  }
  const base = y(Math.max(low, Math.min(high, 0)));
  const path = [...logits].map((v, i) => `M${x(i).toFixed(1)} ${base.toFixed(1)}V${y(v).toFixed(1)}`).join('');
  plot.append(svgNode('path', { d: path, class: 'bars', 'stroke-width': Math.max(0.6, Math.min(12, (width - 60) / logits.length)) }));
  const first = logits.indexOf(high);
  plot.append(svgNode('circle', { cx: x(first), cy: y(high), r: 4, class: 'mark' }));
  plot.append(svgNode('text', { x: x(first), y: height - 4, 'text-anchor': x(first) > width / 2 ? 'end' : 'start', class: 'named' }, `${facts.best[0].name} ${figure(high)}`));
  return [sheet, captioned(plot, `${logits.length} logits`, 'in the order of the classes; the largest is marked')];
};

DRAW.answer = (view) => {
  const top = view.facts.best;
  const list = node('ol', undefined, { class: 'an-final' });
  for (const { name, logit, share } of top) {
    const item = node('li');
    const bar = node('i', undefined, { 'aria-hidden': 'true' });
    bar.style.setProperty('--share', share / top[0].share);
    item.append(node('span', name), node('code', figure(logit)), node('b', percent(share)), bar);
    list.append(item);
  }
  const sum = top.reduce((total, { share }) => total + share, 0);
  return [captioned(list, `The first ${top.length}: logit, then share`, `together ${percent(sum)} of ${view.facts.classes} classes`)];
};

// --- What goes wrong otherwise: before and after ---

function cardOf({ name, top, likeness, votes }, right, of, withVotes) {
  const made = node('div', undefined, { class: 'an-card' });
  made.append(node('h3', name));
  if (top.length) {
    made.append(answerList(top));
    const same = right && right.top.length && top[0].name === right.top[0].name;
    if (right) made.append(note(same ? 'The same first answer.' : 'Another first answer.'));
  } else made.append(note(of.classes ? 'The numbers grew beyond what a computer can hold: no answer.' : 'No head, so no answer.'));
  if (withVotes && votes.length) made.append(note(`Most patches: ${votes.map((v) => `${v.name} ${v.count}`).join(', ')}`));
  if (right && likeness !== null) made.append(note(`Last patch tokens: likeness ${figure(likeness)} to the right ones`));
  return made;
}

function cards(view, key) {
  const { right, cards: all } = view.slips;
  const votes = key === 'batch';
  return beside('cards', cardOf(right, null, view.facts, votes), ...all[key].map((card) => cardOf(card, right, view.facts, votes)));
}

const waiting = (view) => [node('p', view.failed ? 'This could not be computed. Another photo may work.' : 'Running the model wrongly on purpose …', { class: 'an-wait' })];

DRAW.scramble = (view) => (!view.slips ? waiting(view) : [
  beside('even', photoPicture(view, { grid: false, chosen: false, pick: false, title: 'What was meant' }), captioned(bytesPicture(view.wrong.scrambled), 'What the model is shown')),
  cards(view, 'scramble'),
]);

DRAW.batch = (view) => {
  if (!view.slips) return waiting(view);
  const { wrong, right } = view.slips.neighbour_effect;
  const check = node('div', undefined, { class: 'an-check' });
  const logits = view.slips.turned !== undefined;
  const turned = logits ? `; ${view.slips.turned} of ${view.facts.patches} patches then give another answer` : '';
  check.append(node('span', `largest change of ${logits ? 'a token’s logit' : 'a number of the last tokens'} when the neighbour changes${turned}`), node('b', figure(wrong)), node('span', `as it should be, each photo by itself: ${figure(right)}`));
  const images = view.neighbours.map((image, i) => captioned(Object.assign(image.cloneNode(), { alt: '', className: 'an-small' }), `Neighbour ${i + 1}`));
  return [beside('five', photoPicture(view, { grid: false, chosen: false, pick: false, title: 'Your photo' }), ...images), check, cards(view, 'batch')];
};

DRAW.nonorm = (view) => (!view.slips ? waiting(view) : [
  captioned(
    lineChart([{ name: 'as it should be', values: view.slips.norms.right, kind: 'c0' }, { name: 'norm thrown away', values: view.slips.norms.norm, kind: 'c1' }],
      { label: 'Mean length of the tokens by layer', log: true, height: 150 }),
    'How long the tokens are, layer by layer', 'on a scale of powers'),
  cards(view, 'nonorm'),
]);

DRAW.each = (view) => {
  if (!view.slips) return waiting(view);
  const { agree, different, right } = view.slips;
  const { votes } = right;
  if (!view.wrong.every) return [note(view.facts.classes ? 'This head reads two things at once: single tokens have no logits.' : 'This model has no head.')];
  const list = node('ol', undefined, { class: 'an-final' });
  for (const { name, count } of votes) {
    const item = node('li');
    const bar = node('i');
    bar.style.setProperty('--share', count / votes[0].count);
    item.append(node('span', name), node('b', `${count} of ${view.facts.patches}`), bar);
    list.append(item);
  }
  return [
    beside('even',
      photoPicture(view, { values: patchesOf(view, view.wrong.every), title: `Each patch’s share for “${right.top[0].name}”`, note: `brightest ${percent(Math.max(...patchesOf(view, view.wrong.every)))}` }),
      stack(captioned(list, 'What most patches answer', `${different} different answers; ${agree} of ${view.tokens} tokens give the photo’s`))),
    cards(view, 'each'),
  ];
};

DRAW.squash = (view) => (!view.slips ? waiting(view) : [
  beside('even', photoPicture(view, { grid: false, chosen: false, pick: false, title: 'Resized and cropped' }), captioned(bytesPicture(view.wrong.squashed), 'Squashed')),
  cards(view, 'squash'),
]);
