// Sinks and registers: who soaks up attention, from which layer on, how large they are, and rollout without them.

function tokenWords(token) {
  if (token < data.prefix.length) return capital(data.prefix[token]);
  const i = token - data.prefix.length;
  return `Patch in row ${Math.floor(i / data.grid[1]) + 1}, column ${(i % data.grid[1]) + 1}`;
}

const readTokens = () => data.prefix.filter((name) => !name.startsWith('register')).length;
const soaking = () => data.sinks.filter(({ token }) => token >= readTokens());

function rowOf(sink, i) {
  const { token, times, peak, since, norm } = sink;
  const button = node('button', undefined, { type: 'button', 'data-sink': i, 'aria-pressed': String(i === view.sink) });
  button.append(
    node('b', tokenWords(token)), node('span', `${times.toFixed(1)} ×`), node('span', `${peak + 1}`),
    node('span', since < data.tags.length ? `${since + 1}` : 'never'), node('span', `${norm.toFixed(1)} ×`),
  );
  const item = node('li');
  item.append(button);
  return item;
}

function showSinks() {
  const marks = soaking().map(({ token }) => token - data.prefix.length).filter((patch) => patch >= 0);
  view.sink = Math.min(view.sink, data.sinks.length - 1);
  find('tokens').replaceChildren(...data.sinks.map(rowOf));
  find('sink-head').hidden = !data.sinks.length;
  const patches = marks.length;
  const found = patches === 0 ? 'No patch soaks up attention on this photo' : patches === 1 ? 'One patch soaks up attention' : `${patches} patches soak up attention`;
  find('sink-note').textContent = `${found}. A token counts as a sink where it receives at least ${data.enough} even shares ` +
    `(an even share is 1 / ${data.prefix.length + data.grid[0] * data.grid[1]} of all attention), mean over heads.` +
    (readTokens() ? ' The class token is meant to be looked at.' : '');
  if (data.sinks.length) {
    const received = data.sinks.map((s) => s.received);
    const norms = data.sinks.map((s) => s.norms);
    linePlot(find('received'), received, ticksTo(Math.max(data.enough, ...received.flat())), data.enough, view.sink);
    linePlot(find('norms'), norms, ticksTo(Math.max(1, ...norms.flat())), 1, view.sink);
  } else for (const role of ['received', 'norms']) find(role).replaceChildren();
  const [all, rest] = detail.rollouts;
  const scale = scaleFor('clipped', [all, rest], 0);
  const pointed = data.sinks[view.sink] ? data.sinks[view.sink].token - data.prefix.length : -1;
  const chosen = pointed >= 0 ? [pointed] : marks;
  paintMap(find('with'), all, scale, chosen);
  paintMap(find('without'), rest, scale, chosen);
  const count = soaking().length;
  find('without-name').textContent = count ? `without ${count === 1 ? 'that token' : `those ${count} tokens`}` : 'the same: there are none';
  const stays = readTokens() ? ' (the class token stays)' : '';
  const who = data.prefix.length ? `the ${data.prefix[0]}` : 'the mean of all patches';
  find('rollout-note').textContent = `Where ${who} of the last layer got its information from. On the right nothing is given to ` +
    `sinks and registers${stays}, and what is left is scaled up to a whole. Both on one scale, brightest 1% clipped.`;
}
