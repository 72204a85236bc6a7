// What stands around the picture: colour bar, heads, tokens beside the image, the numbers under the pointer.

const SCALE_WORDS = { linear: 'linear', clipped: 'brightest 1% clipped', log: 'logarithmic', percentile: 'percentile' };
const headOf = (text) => (/^\d+$/.test(text) ? +text : text);
const headChoices = () => [...find('heads').children].map((button) => headOf(button.dataset.head));

const showRamp = () => find('ramp').style.setProperty('--colours', stopsOf(TABLES[state.colormap]));

function showScale(scale) {
  const even = place(1 / tokensOf(), scale);
  const below = { log: '≤ ', percentile: '' }[scale.kind] ?? '';
  find('scale-high').textContent = (scale.kind === 'clipped' && scale.top > scale.high ? '≥ ' : '') + percent(scale.high);
  find('scale-middle').textContent = Math.abs(even - 0.5) < 0.1 ? '' : percent(weightAt(0.5, scale));
  find('scale-low').textContent = scale.low > 0 ? below + percent(scale.low) : '0';
  find('scale-name').textContent = SCALE_WORDS[scale.kind];
  const mark = find('uniform');
  find('ramp').style.setProperty('--even', `${100 * even}%`);
  mark.hidden = scale.high < 1 / tokensOf();
  mark.title = `An even share of attention: 1/${tokensOf()} = ${percent(1 / tokensOf())}`;
}

function showHeads(each, common) {
  const prefix = data.prefix.length;
  const rolled = state.method === 'rollout';
  find('heads').classList.toggle('off', rolled);
  for (const button of find('heads').children) {
    const choice = headOf(button.dataset.head);
    button.setAttribute('aria-pressed', String(!rolled && choice === state.head));
    button.disabled = rolled;
    if (rolled) continue;
    const values = chosenOf(each, choice);
    drawSmall(button.firstChild, values, prefix, data.grid, common || scaleFor(state.scale, [values], prefix), TABLES[state.colormap]);
  }
}

function showTiles(values, sinks) {
  for (const tile of find('tiles').children) {
    const token = +tile.dataset.token;
    tile.setAttribute('aria-pressed', String(token === viewNow().query));
    tile.lastChild.textContent = token < 0 ? '' : sinks.includes(token) ? 'left out' : percent(values[token]);
  }
}

// The numbers of the token under the pointer, else of the strongest patch: beside one picture, above each of two.
function showReadout(looks, sinks) {
  const prefix = data.prefix.length;
  const numbers = looks.map(({ query, values }) => {
    const token = targetOf({ query, pointed: state.pointed }, values, prefix);
    const i = token - prefix;
    const { weight, even, rank } = figuresOf(data, values, token);
    return {
      what: token === state.pointed ? 'under the pointer' : 'strongest',
      row: i < 0 ? data.prefix[token] : `row ${Math.floor(i / data.grid[1]) + 1}`,
      column: i < 0 ? '' : `column ${(i % data.grid[1]) + 1}`,
      weight: sinks.includes(token) ? 'left out' : weight,
      even: `${even} × even`,
      rank: rank && `rank ${rank}`,
    };
  });
  for (const cell of root.querySelectorAll('[data-number]')) cell.textContent = numbers[0][cell.dataset.number];
  ['caption', 'second-caption'].forEach((role, at) => {
    const view = state.views[at];
    if (looks.length < 2 || !view) { find(role).textContent = ''; return; }
    const { what, row, column, weight, even, rank } = numbers[at];
    const where = [row, column].filter(Boolean).join(', ');
    const figures = [where, weight, even, rank.split(' of ')[0]].filter(Boolean).join(' · ');
    const name = `${capital(tokenName(data, view.query))}${view.pinned ? '' : ' · click to pin'}`;
    find(role).textContent = `${name}\n${what === 'strongest' ? 'most' : 'here'}: ${figures}`;
  });
}

// One sentence for one picture, two for two; then what was left out.
function wordsFor(looks, sinks) {
  const words = looks.map(({ query, values }) => sentenceFor(data, { ...state, query }, values));
  if (sinks.length) words.push(`${sinks.length === 1 ? 'One sink is' : `${sinks.length} sinks are`} left out.`);
  return words.join(' ');
}

function showSinks(sinks) {
  const names = sinks.slice(0, 4).map((token) => tokenName(data, token)).join('; ');
  const more = sinks.length > 4 ? `; ${sinks.length - 4} more` : '';
  find('sinks-note').textContent = !state.sinks ? ''
    : !sinks.length ? `No token soaks up attention in every row of layer ${state.layer + 1}.`
    : `Left out in layer ${state.layer + 1}: ${sinks.length} of ${tokensOf()} tokens (${names}${more}). ` +
      'At least nine tokens in ten give each of them five times an even share or more; in every head the rest makes up 100% again.';
}

// A layer that is not here yet has no numbers: nothing of the last one stays.
function clearNumbers() {
  for (const canvas of find('heads').querySelectorAll('canvas')) canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  for (const tile of find('tiles').children) tile.lastChild.textContent = '';
  for (const cell of root.querySelectorAll('[data-number]')) cell.textContent = '';
  for (const role of ['scale-high', 'scale-middle', 'scale-low', 'sinks-note']) find(role).textContent = '';
}

function showArrived() {
  [...find('arrived').children].forEach((mark, l) => mark.classList.toggle('here', store.has(l)));
}

function markControls() {
  for (const button of root.querySelectorAll('[data-set]')) {
    button.setAttribute('aria-pressed', String(state[button.dataset.set] === button.dataset.value));
  }
  const two = state.views.length > 1;
  const back = root.querySelector('[data-act="home"]');
  back.classList.toggle('off', !two && (!state.views[0].pinned || state.views[0].query === home()));
  back.textContent = two ? 'back to one picture' : home() < 0 ? 'back to all patches' : 'back to class token';
  root.querySelector('[data-act="compare"]').setAttribute('aria-pressed', String(two));
  panes.forEach((canvas, i) => canvas.parentNode.parentNode.classList.toggle('active', two && i === state.active));
}

function buildControls() {
  const tile = (token, name) => {
    const made = node('button', undefined, { type: 'button', 'data-token': token, title: `Ask from ${tokenName(data, token)}` });
    made.append(node('span', name), node('b'));
    return made;
  };
  const tiles = data.prefix.map((name, token) => tile(token, name));
  find('tiles').replaceChildren(...(tiles.length ? tiles : [tile(-1, 'all patches')]));
  const head = (choice, name) => {
    const made = node('button', undefined, { type: 'button', 'data-head': choice });
    if (typeof choice === 'number') made.setAttribute('aria-label', `head ${name}`);
    made.append(node('canvas'), node('span', name));
    return made;
  };
  const many = data.heads > 1 ? ['mean', 'max', 'min'].map((c) => head(c, c)) : [];
  find('heads').replaceChildren(...many, ...Array.from({ length: data.heads }, (_, h) => head(h, `${h + 1}`)));
  const count = many.length + data.heads;
  find('heads').style.setProperty('--columns', count > 15 ? Math.ceil(count / 2) : count);
  slider.max = data.layers.length;
  find('arrived').replaceChildren(...data.layers.map(() => node('i')));
  buildMatrix();
  showArrived();
}

function showCrop(whole) {
  const [left, top, right, bottom] = data.box;
  drawCrop(find('crop'), whole, data.photo_size, data.box);
  find('crop-note').textContent = `The model saw the bright part (${Math.round(right - left)} × ${Math.round(bottom - top)} of ` +
    `${data.photo_size[0]} × ${data.photo_size[1]} pixels) as ${data.image_size[0]} × ${data.image_size[1]}.`;
}
