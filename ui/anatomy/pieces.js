// Parts that several steps are made of: rows, tables, lists, curves, formulas, source.

const stack = (...items) => { const made = node('div', undefined, { class: 'an-stack' }); made.append(...items.filter(Boolean)); return made; };
const beside = (kind, ...items) => { const made = node('div', undefined, { class: `an-beside ${kind}` }); made.append(...items.filter(Boolean)); return made; };
const note = (text) => node('p', text, { class: 'ax-note an-note' });
const sign = (text) => node('div', text, { class: 'an-sign', 'aria-hidden': 'true' });

// _{below} and ^{above}, also inside each other, as elements.
function formula(text) {
  const made = node('p', undefined, { class: 'an-formula' });
  const read = (into, i) => {
    let plain = '';
    const flush = () => { if (plain) into.append(plain); plain = ''; };
    while (i < text.length && text[i] !== '}') {
      if ((text[i] === '_' || text[i] === '^') && text[i + 1] === '{') {
        flush();
        const inner = node(text[i] === '_' ? 'sub' : 'sup');
        i = read(inner, i + 2) + 1;
        into.append(inner);
      } else if (text[i] === '{') {
        plain += '{';
        flush();
        i = read(into, i + 1) + 1;
        into.append('}');
      } else plain += text[i++];
    }
    flush();
    return i;
  };
  read(made, 0);
  return made;
}

function shapeRow({ name, shape, axes, text }) {
  const row = node('tr');
  const what = node('td', name);
  const here = node('td');
  here.append(node('code', `[${shape.join(', ')}]`), node('span', axes));
  row.append(what, here, node('td'));
  if (text) row.lastChild.append(node('code', text));
  else row.lastChild.append('–');
  return row;
}

function sourceBlock({ file, line, text }) {
  const made = node('details', undefined, { class: 'an-source', open: '' });
  const top = node('summary');
  top.append(node('code', file), node('span', `line ${line}`));
  const code = node('pre', undefined, { tabindex: '0' });
  const lines = text.split('\n');
  let inDoc = false;
  for (const each of lines) {
    const quotes = each.split('"""').length - 1;
    const doc = inDoc || quotes > 0;
    if (quotes % 2) inDoc = !inDoc;
    const cut = doc ? 0 : each.search(/(^|\s)#/);
    const quiet = doc ? each : cut >= 0 ? each.slice(cut) : '';
    code.append(each.slice(0, each.length - quiet.length), node('i', quiet), '\n');
  }
  made.append(top, code);
  return made;
}

// Values of the grid as a table of numbers; the colours are those of the map beside it.
function gridTable(view, values, label) {
  const [rows, cols] = view.facts.grid;
  const most = 16;
  const home = [Math.floor(view.patch / cols), view.patch % cols];
  const from = (side, count) => Math.max(0, Math.min(count - most, side - most / 2));
  const [top, left] = [from(home[0], rows), from(home[1], cols)];
  const scale = reachOf(values);
  const table = node('table', undefined, { class: 'an-grid', 'aria-label': label });
  const { above, below } = inks();
  for (let r = top; r < Math.min(rows, top + most); r++) {
    const line = node('tr');
    for (let c = left; c < Math.min(cols, left + most); c++) {
      const value = values[r * cols + c];
      const t = Math.max(-1, Math.min(1, value / scale));
      const cell = node('td', value.toFixed(Math.abs(value) >= 10 ? 0 : 1).replace('-', '−'));
      cell.style.background = `rgba(${(t >= 0 ? above : below).join(',')},${(0.75 * Math.abs(t)).toFixed(2)})`;
      if (r === home[0] && c === home[1]) cell.className = 'here';
      line.append(cell);
    }
    table.append(line);
  }
  const box = node('div', undefined, { class: 'an-scroll' });
  box.append(table);
  return captioned(box, label, rows > most || cols > most ? `${most} × ${most} of ${rows} × ${cols} places, around the chosen patch` : '');
}

// Tokens by their share: a picture of the patch, a bar, the figures given.
function tokenList(view, tokens, columns, share) {
  const list = node('ol', undefined, { class: 'an-tokens' });
  const top = Math.max(...tokens.map(share));
  for (const token of tokens) {
    const item = node('li');
    const prefix = view.facts.prefix.length;
    item.append(token < prefix ? node('span', '', { class: 'an-nopatch' }) : patchPicture(view, token - prefix, 28));
    item.append(node('span', capital(placeOf(view.facts, token))));
    const bar = node('i', undefined, { 'aria-hidden': 'true' });
    bar.style.setProperty('--share', share(token) / top);
    item.append(bar, ...columns.map((column) => node('b', column(token))));
    list.append(item);
  }
  return list;
}

// Answers as bars, best first.
function answerList(top, all = 1) {
  const list = node('ol', undefined, { class: 'an-answers' });
  for (const { name, share } of top) {
    const item = node('li');
    const bar = node('i', undefined, { 'aria-hidden': 'true' });
    bar.style.setProperty('--share', share / all);
    item.append(node('span', name), node('b', percent(share)), bar);
    list.append(item);
  }
  return list;
}

// Lines over layers: [{ name, values, kind }], from 0 or on a scale of powers of ten.
function lineChart(lines, { label, first = 0, mark = -1, log = false, height = 130 }) {
  const [width, left, right, top, bottom] = [480, 44, 470, 10, height - 22];
  const flat = lines.flatMap((l) => [...l.values]).filter(Number.isFinite);
  const tall = Math.max(...flat);
  const small = log ? Math.max(1e-6, Math.min(...flat)) : 0;
  const count = lines[0].values.length;
  const x = (i) => (count > 1 ? left + ((right - left) * i) / (count - 1) : (left + right) / 2);
  const y = (v) => bottom - (bottom - top) * (log ? Math.log(Math.max(v, small) / small) / Math.log(tall / small || 1) : v / (tall || 1));
  const plot = svgNode('svg', { viewBox: `0 0 ${width} ${height}`, class: 'an-chart', role: 'img', 'aria-label': label });
  for (const v of log ? [small, Math.sqrt(small * tall), tall] : [0, tall / 2, tall]) {
    plot.append(svgNode('line', { x1: left, x2: right, y1: y(v), y2: y(v), class: 'rule' }));
    plot.append(svgNode('text', { x: left - 6, y: y(v) + 3, 'text-anchor': 'end' }, figure(v)));
  }
  if (mark >= 0) plot.append(svgNode('line', { x1: x(mark), x2: x(mark), y1: top, y2: bottom, class: 'here' }));
  for (const { values, kind } of lines) {
    const points = [...values].map((v, i) => (Number.isFinite(v) ? `${x(i).toFixed(1)},${y(v).toFixed(1)}` : '')).join(' ');
    plot.append(svgNode('polyline', { points, class: `course ${kind}` }));
  }
  for (let i = 0; i < count; i++) {
    if (count <= 14 || i % 4 === 0) plot.append(svgNode('text', { x: x(i), y: height - 6, 'text-anchor': 'middle' }, i + first === 0 ? 'start' : i + first));
  }
  const legend = node('p', undefined, { class: 'an-legend' });
  legend.append(...lines.map((l) => node('span', l.name, { class: l.kind })));
  return stack(plot, legend);
}
