// Numbers against depth: a dot per head, or a line per token.

const PLOT = { left: 34, top: 8 };
const rightOf = (svg) => svg.viewBox.baseVal.width - 8;

// Axes of a plot; gives the places of layers and values. `ticks` are the values that get a line.
function plotAxes(svg, depth, ticks, words) {
  svg.replaceChildren();
  const bottom = svg.viewBox.baseVal.height - 20;
  const right = rightOf(svg);
  const most = ticks[ticks.length - 1];
  const x = (l) => (depth > 1 ? PLOT.left + 10 + ((right - PLOT.left - 20) * l) / (depth - 1) : (PLOT.left + right) / 2);
  const y = (value) => bottom - ((bottom - PLOT.top) * Math.min(value, most)) / most;
  for (const value of ticks) {
    svg.append(svgNode('line', { x1: PLOT.left, x2: right, y1: y(value), y2: y(value), class: 'rule' }));
    svg.append(svgNode('text', { x: PLOT.left - 6, y: y(value) + 3, class: 'tick', 'text-anchor': 'end' }, words(value)));
  }
  const every = Math.ceil((depth * 22) / (right - PLOT.left)); // labels must not touch
  for (let l = 0; l < depth; l += every) svg.append(svgNode('text', { x: x(l), y: bottom + 15, class: 'tick', 'text-anchor': 'middle' }, l + 1));
  return { x, y };
}

// Round numbers from 0 to at least `most`.
function ticksTo(most) {
  const raw = Math.max(most, 1e-6) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => +(i * step).toPrecision(6));
}

const meanOf = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

// A dot per head and a line through the means of the layers; the average over many photos lies behind, in grey.
function dotPlot(svg, values, average, ticks, even, point) {
  const { x, y } = plotAxes(svg, values.length, ticks, (v) => `${v}`);
  if (even) svg.append(svgNode('line', { x1: PLOT.left, x2: rightOf(svg), y1: y(even), y2: y(even), class: 'even' }));
  const course = (rows, kind) => svg.append(svgNode('polyline', { class: `mean ${kind}`, points: rows.map((row, l) => `${x(l).toFixed(1)},${y(meanOf(row)).toFixed(1)}`).join(' ') }));
  if (average) {
    course(average, 'usual');
    average.forEach((row, l) => row.forEach((v) => svg.append(svgNode('circle', { cx: x(l), cy: y(v), r: 2, class: 'usual' }))));
  }
  course(values, 'here');
  values.forEach((row, l) => row.forEach((v, h) => {
    const dot = svgNode('circle', { cx: x(l), cy: y(v), r: 2.8, class: 'head', 'data-at': `${l}.${h}` });
    dot.addEventListener('pointerenter', () => point(l, h));
    svg.append(dot);
  }));
}

function linePlot(svg, rows, ticks, level, chosen) {
  const { x, y } = plotAxes(svg, rows[0].length, ticks, (v) => `${v}×`);
  if (level) svg.append(svgNode('line', { x1: PLOT.left, x2: rightOf(svg), y1: y(level), y2: y(level), class: 'even' }));
  rows.forEach((row, i) => {
    const points = row.map((v, l) => `${x(l).toFixed(1)},${y(v).toFixed(1)}`).join(' ');
    svg.append(svgNode('polyline', { points, class: i === chosen ? 'line now' : 'line' }));
    if (row.length === 1) svg.append(svgNode('circle', { cx: x(0), cy: y(row[0]), r: 2.5, class: i === chosen ? 'head' : 'usual' }));
  });
  if (chosen >= 0) svg.append(svg.querySelector('.now')); // on top
}
