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
  const target = targetOf(view, values, prefix);
  const { weight, even, rank } = figuresOf(data, values, target);
  const place = target === query ? 'itself' : tokenName(data, target);
  const numbers = `${weight} (${even} times an even share${rank ? `, rank ${rank}` : ''})`;
  const flow = method === 'rollout';
  const first = target === pointed ? '' : 'most ';
  if (direction === 'to') {
    const seen = target === query ? 'itself' : tokenName(data, query);
    return `${capital(tokenName(data, target))} ${flow ? 'draws' : 'looks'} ${first}${flow ? 'on' : 'at'} ${seen}: ${numbers}.`;
  }
  const text = flow
    ? `Followed back through all layers up to this one, ${tokenName(data, query)} draws ${first}on ${place}: ${numbers}.`
    : `${capital(tokenName(data, query))} looks ${first}at ${place}: ${numbers}.`;
  const own = values.subarray(0, prefix).reduce((sum, value) => sum + value, 0);
  if (!prefix || (view.sinks && !own)) return text; // nothing beside the image, or all of it left out
  return `${text} ${percent(own)} goes to ${prefix > 1 ? 'the tokens beside the image' : 'the class token'}.`;
}

// The token that the numbers are about: the one under the pointer, else the patch with the largest weight.
function targetOf({ query, pointed }, values, prefix) {
  return pointed >= 0 && pointed !== query ? pointed : strongestOf(values, prefix);
}

// One weight in numbers: share, multiples of an even share (1/N), and its rank among the patches.
function figuresOf(data, values, token) {
  const prefix = data.prefix.length;
  const patches = data.grid[0] * data.grid[1];
  const times = values[token] * (prefix + patches);
  return {
    weight: percent(values[token]),
    even: times.toFixed(times >= 10 ? 0 : 1),
    rank: token >= prefix ? `${rankOf(values, prefix, token)} of ${patches}` : '',
  };
}
