// The curves of the chosen maps in one figure, insertion beside deletion. The baselines stay in it, in grey.

// `lines` are {score, kind}, `randoms` the scores of the random maps, `at` the point that the scrubber shows.
function drawCurves(svg, { lines, randoms, centre, view, at }) {
  svg.replaceChildren();
  const every = [...lines.map((l) => l.score), ...randoms, ...(centre ? [centre] : [])];
  if (!every.length) return;
  const counts = every[0].counts;
  const patches = counts[counts.length - 1];
  const highest = Math.max(...every.flatMap((s) => [...s.insertion_curve, ...s.deletion_curve]));
  const top = [0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1].find((edge) => highest <= edge) || 1;
  const [upper, lower] = [18, 104];
  const y = (p) => lower - (lower - upper) * (p / top);
  for (const [name, left, title] of [['insertion', 30, 'insertion ↑'], ['deletion', 196, 'deletion ↓']]) {
    const right = left + 140;
    const x = (count) => left + ((right - left) * count) / patches;
    const path = (score) => score[`${name}_curve`].map((p, k) => `${x(counts[k]).toFixed(1)},${y(p).toFixed(1)}`);
    svg.append(svgNode('text', { x: left, y: 10, class: 'head' }, title));
    for (const share of [0, 0.5, 1]) {
      svg.append(svgNode('line', { x1: left, x2: right, y1: y(share * top), y2: y(share * top), class: 'rule' }));
      const tick = svgNode('text', { x: left - 4, y: y(share * top) + 3, class: 'tick', 'text-anchor': 'end' }, percent(share * top));
      if (name === 'insertion') svg.append(tick);
    }
    for (const [share, anchor] of [[0, 'start'], [1, 'end']]) {
      svg.append(svgNode('text', { x: left + share * 140, y: 117, class: 'tick', 'text-anchor': anchor }, share ? 'all patches' : 'none'));
    }
    if (randoms.length) {
      const edge = (pick) => counts.map((c, k) => `${x(c).toFixed(1)},${y(pick(...randoms.map((s) => s[`${name}_curve`][k]))).toFixed(1)}`);
      svg.append(svgNode('polygon', { points: [...edge(Math.max), ...edge(Math.min).reverse()].join(' '), class: 'band' }));
    }
    if (centre) svg.append(svgNode('polyline', { points: path(centre).join(' '), class: 'centre' }));
    [...lines].reverse().forEach(({ score, kind }) => {
      svg.append(svgNode('polyline', { points: path(score).join(' '), class: `curve ${kind}` }));
    });
    if (lines.length && view === name) {
      const [px, py] = [x(counts[at]), y(lines[0].score[`${name}_curve`][at])];
      svg.append(svgNode('line', { x1: px, x2: px, y1: upper, y2: lower, class: 'here' }));
      svg.append(svgNode('circle', { cx: px, cy: py, r: 3.5, class: 'dot' }));
    }
  }
}

// Where a map's insertion − deletion lies between the baselines: grey band and line are theirs, the dot is the map's.
function drawWorth(svg, score, bar, [low, high], settled) {
  svg.replaceChildren();
  if (!score || !bar) return;
  const x = (value) => 4 + 112 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  svg.append(svgNode('line', { x1: 0, x2: 120, y1: 7, y2: 7, class: 'axis' }));
  svg.append(svgNode('rect', { x: x(bar.low), width: Math.max(1.5, x(bar.high) - x(bar.low)), y: 3, height: 8, class: 'band' }));
  svg.append(svgNode('line', { x1: x(bar.centre), x2: x(bar.centre), y1: 1, y2: 13, class: 'centre' }));
  svg.append(svgNode('circle', { cx: x(worth(score)), cy: 7, r: 4, class: settled && better(score, bar) ? 'dot good' : 'dot' }));
}
