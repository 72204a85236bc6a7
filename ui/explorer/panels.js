// The words beside the picture: predictions, and one sentence on what is seen.

function tokenName(data, token) {
  if (token < 0) return 'the mean of all patches';
  if (token < data.prefix.length) return `the ${data.prefix[token]}`;
  const i = token - data.prefix.length;
  return `the patch in row ${Math.floor(i / data.grid[1]) + 1}, column ${(i % data.grid[1]) + 1}`;
}

function showAnswers(find, data, layer) {
  const last = layer === data.layers.length - 1;
  const list = find('answers');
  const note = find('answer-note');
  if (!data.classes.length) {
    find('answer-title').textContent = 'No classes';
    list.replaceChildren();
    note.textContent = 'This model was trained without labels. It has no head, so there is attention but no prediction.';
    return;
  }
  const shares = data.probabilities[layer];
  const best = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 5);
  find('answer-title').textContent = last ? 'Prediction' : `If layer ${layer + 1} had to answer`;
  note.textContent = last
    ? data.note || `The five most probable of the classes that ${data.model} knows.`
    : 'A probe: the head was trained on the last layer only.';
  list.replaceChildren(
    ...best.map((index, place) => {
      const item = node('li', undefined, { class: place ? '' : 'first' });
      const bar = node('i', undefined, { 'aria-hidden': 'true' });
      bar.style.setProperty('--share', shares[index]);
      item.append(node('span', data.classes[index]), node('b', percent(shares[index])), bar);
      return item;
    }),
  );
}

// One sentence in words: who looks, how the pointed or strongest patch compares with an even share.
function sentenceFor(data, view, values) {
  const { query, pointed, direction, method } = view;
  const prefix = data.prefix.length;
  const patches = data.grid[0] * data.grid[1];
  const tokens = prefix + patches;
  let target = pointed >= 0 && pointed !== query ? pointed : -1;
  if (target < 0) {
    target = prefix;
    for (let i = prefix; i < values.length; i++) if (values[i] > values[target]) target = i;
  }
  const place = target === query ? 'itself' : tokenName(data, target);
  const times = values[target] * tokens;
  const even = times >= 10 ? `${times.toFixed(0)} times an even share` : `${times.toFixed(1)} times an even share`;
  const rank = target >= prefix ? `, rank ${rankOf(values, prefix, target)} of ${patches}` : '';
  const who = capital(tokenName(data, query));
  const weight = `${percent(values[target])} (${even}${rank})`;
  const flow = method === 'rollout';
  const first = target === pointed ? '' : 'most ';
  let text;
  if (direction === 'from') {
    text = flow
      ? `Followed back through all layers up to this one, ${tokenName(data, query)} draws ${first}on ${place}: ${weight}.`
      : `${who} looks ${first}at ${place}: ${weight}.`;
    let own = 0;
    for (let i = 0; i < prefix; i++) own += values[i];
    if (prefix) text += ` ${percent(own)} goes to ${prefix > 1 ? 'the tokens beside the image' : 'the class token'}.`;
  } else {
    text = `${capital(tokenName(data, target))} ${flow ? 'draws' : 'looks'} ${first}${flow ? 'on' : 'at'} ${target === query ? 'itself' : tokenName(data, query)}: ${weight}.`;
  }
  return text;
}
