// Layer by layer: how probable the leading classes are at each depth, and how the token that the head reads changes.
// A click on a layer goes there; the layer slider moves the mark.

const SIDE = { left: 26, right: 276, bottom: 90 };

function timelineAxis(depth) {
  const span = SIDE.right - SIDE.left;
  return {
    x: (l) => (depth > 1 ? SIDE.left + (span * l) / (depth - 1) : (SIDE.left + SIDE.right) / 2),
    step: depth > 1 ? span / (depth - 1) : span,
  };
}

function ruleAt(plot, y, text) {
  plot.append(svgNode('line', { x1: SIDE.left, x2: SIDE.right, y1: y, y2: y, class: 'rule' }));
  plot.append(svgNode('text', { x: SIDE.left - 5, y: y + 3, class: 'tick', 'text-anchor': 'end' }, text));
}

// Probability of the three leading classes; below it a bar, coloured where the final answer leads, cut where the
// leader changes; a ring where it first leads, a dot where it leads for good.
function drawBelief(plot, data, layer, { x, step }) {
  const [top, bottom] = [6, 62];
  const shown = data.probabilities.flatMap((row) => row.slice(0, 3));
  const whole = [0.1, 0.2, 0.5, 1].find((p) => p >= Math.max(...shown)) || 1; // so that low courses can be read
  const y = (p) => bottom - ((bottom - top) * p) / whole;
  const [first, settled, ...flips] = data.course;
  const depth = data.layers.length;
  for (const p of [0, 0.5, 1]) ruleAt(plot, y(p * whole), `${100 * p * whole}%`);
  plot.append(svgNode('line', { x1: x(layer), x2: x(layer), y1: top, y2: bottom + 12, class: 'here' }));
  const leaders = [0, 1, 2].filter((c) => c < data.classes.length);
  for (const c of [...leaders].reverse()) {
    const points = data.probabilities.map((row, l) => `${x(l).toFixed(1)},${y(row[c]).toFixed(1)}`).join(' ');
    plot.append(svgNode('polyline', { points, class: `course c${c}` }));
    plot.append(svgNode('circle', { cx: x(layer), cy: y(data.probabilities[layer][c]), r: 3, class: `dot c${c}` }));
  }
  const leading = data.probabilities.map((row) => row.indexOf(Math.max(...row)));
  const edge = (l) => Math.min(SIDE.right, Math.max(SIDE.left, x(l) - step / 2));
  for (let l = 0; l < depth; l++) {
    const bar = svgNode('rect', { x: edge(l), width: edge(l + 1) - edge(l) || 1, y: bottom + 6, height: 5, class: leading[l] ? 'lead' : 'lead ours' });
    plot.append(bar);
  }
  for (const l of flips) plot.append(svgNode('line', { x1: edge(l), x2: edge(l), y1: bottom + 5, y2: bottom + 12, class: 'flip', 'data-flip': l }));
  if (first < settled) plot.append(svgNode('circle', { cx: x(first), cy: y(data.probabilities[first][0]), r: 3, class: 'ring', 'data-mark': 'first' }));
  plot.append(svgNode('circle', { cx: x(settled), cy: y(data.probabilities[settled][0]), r: 4.5, class: 'ring', 'data-mark': 'settled' }));
  if (layer === settled) plot.append(svgNode('circle', { cx: x(layer), cy: y(data.probabilities[layer][0]), r: 2.5, class: 'dot c0' }));
  return (l) => `Layer ${l + 1}: ${data.classes[leading[l]]} leads with ${percent(data.probabilities[l][leading[l]])}`;
}

function courseWords(data) {
  const [first, settled, ...flips] = data.course;
  const name = `“${data.classes[0]}”`;
  if (!flips.length) return `${name} leads from the first layer on. Layers before the last are a probe.`;
  const changes = flips.length === 1 ? 'the leader changes once' : `the leader changes ${flips.length} times`;
  const lead = first === settled ? `leads from layer ${first + 1} on` : `first leads at layer ${first + 1}, for good from ${settled + 1} on`;
  return `${name} ${lead}; ${changes}. Layers before the last are a probe.`;
}

// The token that the head reads: how alike it is to its final state, and who changed it.
function drawToken(plot, data, layer, { x, step }) {
  const [top, middle, low, bottom] = [6, 34, 46, 72];
  const y = (cosine) => middle - ((middle - top) * (cosine + 1)) / 2;
  for (const value of [1, 0, -1]) ruleAt(plot, y(value), value < 0 ? '−1' : value);
  plot.append(svgNode('line', { x1: x(layer), x2: x(layer), y1: top, y2: bottom, class: 'here' }));
  const points = data.cosine.map((value, l) => `${x(l).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  plot.append(svgNode('polyline', { points, class: 'course c0' }));
  plot.append(svgNode('circle', { cx: x(layer), cy: y(data.cosine[layer]), r: 3, class: 'dot c0' }));
  const width = Math.max(2, Math.min(14, step * 0.6));
  data.by_attention.forEach((share, l) => {
    const height = (bottom - low) * share;
    plot.append(svgNode('rect', { x: x(l) - width / 2, width, y: low, height: bottom - low - height, class: 'rest' }));
    plot.append(svgNode('rect', { x: x(l) - width / 2, width, y: bottom - height, height, class: l === layer ? 'part now' : 'part' }));
  });
  return (l) => `Layer ${l + 1}: cosine ${data.cosine[l].toFixed(2)}, ${percent(data.by_attention[l])} of the change by attention`;
}

function tokenWords(data, layer) {
  const who = data.prefix.length ? data.prefix[0] : 'mean of all patches';
  const cosine = data.cosine[layer].toFixed(2).replace('-', '−');
  return `Layer ${layer + 1}: the ${who} has a cosine of ${cosine} with its final state. Attention made ` +
    `${percent(data.by_attention[layer])} of its change here, the MLP the rest.`;
}

function showTimeline(find, data, view, go) {
  const plot = find('timeline-plot');
  const [answers, course] = [data.classes.length > 0, data.cosine.length > 0];
  find('timeline').hidden = !answers && !course;
  if (!answers && !course) return;
  const token = course && (view.timeline === 'token' || !answers);
  const key = `${data.run} ${view.layer} ${token}`;
  if (plot.dataset.key === key) return; // it does not change while the pointer moves
  plot.dataset.key = key;
  find('timeline-choice').hidden = !answers || !course;
  const depth = data.layers.length;
  const axis = timelineAxis(depth);
  plot.replaceChildren();
  const words = (token ? drawToken : drawBelief)(plot, data, view.layer, axis);
  const every = Math.ceil(depth / 12);
  for (let l = 0; l < depth; l++) {
    const labelled = l === view.layer || (l % every === 0 && Math.abs(l - view.layer) >= every);
    const name = { x: axis.x(l), y: SIDE.bottom - 3, class: l === view.layer ? 'tick now' : 'tick', 'text-anchor': 'middle' };
    if (labelled) plot.append(svgNode('text', name, l + 1));
    const hit = svgNode('rect', { x: axis.x(l) - axis.step / 2, y: 0, width: axis.step, height: SIDE.bottom, class: 'hit', 'data-layer': l });
    hit.append(svgNode('title', {}, words(l)));
    hit.addEventListener('click', () => go(l));
    plot.append(hit);
  }
  const names = token
    ? [['cosine', 'c0'], ['change by attention', 'c2 block'], ['by MLP', 'block']]
    : data.classes.slice(0, 3).map((name, c) => [name, `c${c}`]);
  find('legend').replaceChildren(...names.map(([name, kind]) => node('span', name, { class: kind })));
  find('course').textContent = token ? tokenWords(data, view.layer) : courseWords(data);
}
