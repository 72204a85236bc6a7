// Sinks and registers: who soaks up attention, from which layer on, how large they are, and rollout without them.

function tokenWords(token) {
  if (token < data.prefix.length) return capital(data.prefix[token]);
  const i = token - data.prefix.length;
  return `Patch in row ${Math.floor(i / data.grid[1]) + 1}, column ${(i % data.grid[1]) + 1}`;
}

const readTokens = () => data.prefix.filter((name) => !name.startsWith('register')).length;
const soaking = () => data.sinks.filter(({ token }) => token >= readTokens());

function sinkWords({ times, peak, since, norm }) {
  const depth = data.tags.length;
  const from = since < depth ? `a sink from layer ${since + 1} on` : 'never a sink';
  return `${times.toFixed(1)} even shares at layer ${peak + 1}, ${from}; norm up to ${norm.toFixed(1)} × the median`;
}

function showSinks() {
  const marks = soaking().map(({ token }) => token - data.prefix.length).filter((patch) => patch >= 0);
  view.sink = Math.min(view.sink, data.sinks.length - 1);
  find('tokens').replaceChildren(...data.sinks.map((sink, i) => {
    const item = node('li');
    const button = node('button', undefined, { type: 'button', 'data-sink': i, 'aria-pressed': String(i === view.sink) });
    button.append(node('b', tokenWords(sink.token)), node('span', sinkWords(sink)));
    item.append(button);
    return item;
  }));
  const patches = marks.length;
  const found = patches === 0 ? 'No patch soaks up attention on this photo' : patches === 1 ? 'One patch soaks up attention' : `${patches} patches soak up attention`;
  find('sink-note').textContent = `${found}: a token counts as a sink where it receives at least ${data.enough} times an even share ` +
    `(1 / ${data.prefix.length + data.grid[0] * data.grid[1]}), mean over heads. The class token is meant to be looked at.`;
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
  const who = data.prefix.length ? `the ${data.prefix[0]}` : 'the mean of all patches';
  find('rollout-note').textContent = `Where ${who} of the last layer got its information from. On the right nothing is given to ` +
    `${count ? 'the sinks' : 'sinks'} and registers (the class token stays), and what is left is scaled up to a whole. Both on one scale, brightest 1% clipped.`;
}
