// The gallery: one card for each method, built once for a photo and filled as answers arrive.

function makeCard(method, { pick, compute, seeds }) {
  const card = node('article', undefined, { class: method.baseline ? 'ex-card blind' : 'ex-card', 'data-method': method.name });
  const face = node('button', undefined, { type: 'button', class: 'ex-face', 'aria-pressed': 'false' });
  const frame = node('span', undefined, { class: 'ex-frame' });
  const canvas = node('canvas', undefined, { 'aria-hidden': 'true' });
  const wait = node('span', '', { class: 'ex-wait' });
  frame.append(canvas, wait);
  const name = node('span', method.label, { class: 'ex-name' });
  const rank = node('span', '', { class: 'ex-rank' });
  const strip = svgNode('svg', { viewBox: '0 0 120 14', preserveAspectRatio: 'xMinYMid', class: 'ex-worth', 'aria-hidden': 'true' });
  const areas = node('span', '', { class: 'ex-areas' });
  const top = node('span', undefined, { class: 'ex-top' });
  if (method.baseline) name.append(' ', node('span', 'baseline', { class: 'ex-tag' }));
  top.append(name, rank);
  face.append(frame, top, strip, areas);
  face.addEventListener('click', () => pick(method.name));
  const means = method.name === 'random' ? ` Its areas are the mean of ${seeds} such maps.` : '';
  const words = node('p', `${method.limits}${means}`, { class: 'ax-note ex-limits' });
  card.append(face, words);
  if (method.link) {
    words.append(' ', node('a', 'Paper', { href: method.link, target: '_blank', rel: 'noopener', 'aria-label': `Paper: ${method.paper}` }));
  }
  if (method.slow) {
    const button = node('button', 'Compute', { type: 'button', class: 'ex-compute' });
    button.addEventListener('click', () => compute(method.name));
    frame.after(button);
  }
  return { card, face, canvas, wait, rank, strip, areas, drawn: null, button: card.querySelector('.ex-compute') };
}

// Fill a card: `map` {values, shares, order} or {error}, `score`, `rank`, `bar`, and what it still waits for.
function fillCard(parts, method, { map, score, rank, of, bar, settled, range, chosen, first, waiting, photo, grid, asked, done, why }) {
  const { card, face, canvas, wait } = parts;
  card.classList.toggle('chosen', chosen);
  card.classList.toggle('first', first);
  const error = (map && map.error) || (score && score.error) || why;
  card.classList.toggle('failed', Boolean(error));
  face.setAttribute('aria-pressed', String(first)); // a press on the one in front takes it out
  face.disabled = !map || Boolean(map.error);
  const has = map && map.values;
  const computing = done ? `computing … ${percent(done)}` : 'computing …';
  if (!has && parts.drawn) { canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height); parts.drawn = null; }
  const [pen, width, height] = sized(canvas, grid);
  const stamp = has ? `${map.id}:${width}` : null;
  if (has && width && parts.drawn !== stamp) {
    drawMap(pen, width, height, photo, map.shares, grid);
    parts.drawn = stamp;
  }
  wait.textContent = has ? '' : error ? '' : method.slow && !asked ? '' : waiting ? computing : 'waiting';
  canvas.classList.toggle('empty', !has);
  if (parts.button) parts.button.hidden = asked;
  const good = Boolean(score && !score.error);
  parts.rank.textContent = rank ? `${rank} of ${of}` : '';
  parts.rank.classList.toggle('good', good && settled && better(score, bar));
  drawWorth(parts.strip, good && score, bar, range, settled);
  parts.areas.replaceChildren();
  if (error) parts.areas.textContent = error;
  else if (good) {
    const pair = (what, value, arrow) => {
      const item = node('span', undefined, { class: 'ex-area', title: `Area under the ${what} curve, 0 to 1` });
      item.append(`${what} ${arrow} `, node('b', area(value)));
      return item;
    };
    parts.areas.append(pair('insertion', score.insertion, '↑'), pair('deletion', score.deletion, '↓'));
  } else parts.areas.textContent = has && waiting !== null ? (waiting ? 'measuring …' : 'not measured yet') : '';
  const spoken = [method.label];
  if (rank) spoken.push(`rank ${rank} of ${of}`);
  if (good) spoken.push(`insertion ${area(score.insertion)}, deletion ${area(score.deletion)}`);
  if (good && settled && !method.baseline) spoken.push(better(score, bar) ? 'better than both baselines' : 'not better than both baselines');
  if (has) spoken.push(strongest(map, grid));
  if (chosen && !first) spoken.push('in the figures, behind another');
  if (error) spoken.push(error);
  face.setAttribute('aria-label', spoken.join('; '));
}

// Put cards into this order; the one that has the focus keeps it.
function orderCards(list, cards, sorted) {
  list.classList.toggle('sorted', sorted);
  if (cards.every((card, i) => list.children[i] === card)) return;
  const held = document.activeElement;
  list.append(...cards);
  if (list.contains(held)) held.focus({ preventScroll: true });
}

const strongest = (map, grid) =>
  map.low === map.high
    ? 'the same everywhere'
    : `strongest in row ${Math.floor(map.order[0] / grid[1]) + 1}, column ${(map.order[0] % grid[1]) + 1}`;

// Agreement of all maps as a small table; darker means more alike.
function drawMatrix(table, names, labels, numbers) {
  const head = node('tr');
  head.append(node('td'), ...names.map((_, j) => node('th', `${j + 1}`, { scope: 'col', title: labels[names[j]] })));
  const rows = names.map((name, i) => {
    const row = node('tr');
    const title = node('th', undefined, { scope: 'row' });
    title.append(node('span', `${i + 1}`), labels[name]);
    row.append(title);
    names.forEach((other, j) => {
      const r = numbers[i][j];
      const cell = node('td', r === null ? '–' : rho(r).replace('0.', '.'), { title: `${labels[name]} and ${labels[other]}` });
      cell.style.setProperty('--r', r === null ? 0 : Math.abs(r));
      cell.className = i === j ? 'self' : r < 0 ? 'against' : 'with';
      row.append(cell);
    });
    return row;
  });
  table.replaceChildren(head, ...rows);
}
