// The chosen map, large: the map itself, or the photo as patches are covered or uncovered in its order.

function showDetail(find, { method, map, score, view, at, photo, blurred, colour, grid, name, rivalWords }) {
  find('name').textContent = method.label;
  const paper = find('paper');
  paper.textContent = method.paper ? method.paper.split(',').slice(0, -1).join(',') || method.paper : '';
  if (method.link) paper.href = method.link;
  paper.hidden = !method.link;
  find('shows').textContent = `${method.shows}${rivalWords}`;
  const canvas = find('picture');
  const [pen, width, height] = sized(canvas, grid);
  const has = map && map.values;
  const patches = grid[0] * grid[1];
  const counts = score && !score.error ? score.counts : null;
  const scrub = find('scrub');
  scrub.disabled = !has || !counts;
  scrub.max = counts ? counts.length - 1 : 14;
  scrub.value = at;
  find('chance').textContent = '';
  find('chance-name').textContent = '';
  if (!width) return;
  pen.clearRect(0, 0, width, height);
  if (!has) {
    pen.filter = 'grayscale(.75) brightness(.62)';
    pen.drawImage(photo, 0, 0, width, height);
    pen.filter = 'none';
    find('said').textContent = (map && map.error) || 'This map is on its way.';
  } else if (view === 'map' || !counts) {
    drawMap(pen, width, height, photo, map.shares, grid);
    find('said').textContent = `${capital(strongest(map, grid))}. Brighter means more; the order of the patches is what the scores test.`;
  } else {
    const count = counts[at];
    if (view === 'deletion') drawDeleted(pen, width, height, photo, map.order, count, grid, colour);
    else drawInserted(pen, width, height, photo, blurred, map.order, count, grid);
    const [start, now] = [score[`${view}_curve`][0], score[`${view}_curve`][at]];
    find('chance').textContent = percent(now);
    find('chance-name').textContent = name;
    const done = view === 'deletion' ? 'covered with the photo’s mean colour' : 'uncovered on a blurred photo';
    find('said').textContent = `${count} of ${patches} patches ${done}, the map’s brightest first: from ${percent(start)} to ${percent(now)}.`;
  }
  canvas.setAttribute('aria-label', view === 'map' ? `The photo under the map of ${method.label}` : `The photo with patches changed, ${method.label}`);
  scrub.setAttribute('aria-valuetext', counts ? `${counts[at]} of ${patches} patches` : '');
}

const CURVES = ['c0', 'c1', 'c2', 'c3'];

function showLegend(find, lines, randoms, hasCentre) {
  const items = lines.map(({ label, kind }) => node('span', label, { class: kind }));
  if (hasCentre) items.push(node('span', 'Centre', { class: 'centre' }));
  if (randoms) items.push(node('span', `Random, ${randoms} ${randoms > 1 ? 'maps' : 'map'}`, { class: 'band' }));
  find('legend').replaceChildren(...items);
}
