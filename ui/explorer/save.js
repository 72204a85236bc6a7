// Downloads: what is seen as a picture, its numbers as JSON; all numbers as NPZ come from Python.

function download(blob, name) {
  const link = node('a', undefined, { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const headName = () =>
  state.method === 'rollout' ? 'rollout' : typeof state.head === 'number' ? `head ${state.head + 1}` : `${state.head} of heads`;
const fileName = (ending) => `attention-layer-${state.layer + 1}-${headName().replaceAll(' ', '-')}.${ending}`;

// What was chosen when the numbers or the picture were saved; counted from 1 as on the page.
function optionsNow() {
  return {
    layer: state.layer + 1, method: state.method, head: state.method === 'rollout' ? null : typeof state.head === 'number' ? state.head + 1 : state.head,
    queries: state.views.map(({ query }) => tokenName(data, query)), direction: state.direction === 'from' ? 'what it sees' : 'who sees it',
    sinks: state.sinks ? 'hidden' : 'shown', scale: state.scale, range: state.range, colours: state.colormap,
  };
}

// Twice the size of the page, with the bar and the words that say what it is.
function savePicture() {
  if (!shown) return;
  const views = shown.looks.map((one) => sight(one, shown.scale, shown.sinks));
  const verb = state.direction === 'from' ? 'what it sees' : 'who sees it';
  const left = shown.sinks.length ? ` · ${shown.sinks.length} sinks left out` : '';
  const canvas = drawExport(views, Math.round(2 * picture.clientWidth), {
    what: shown.looks.map(({ query }) => `${capital(tokenName(data, query))}: ${verb}`),
    how: `${data.model} · layer ${state.layer + 1} of ${data.layers.length} · ${headName()} · ${SCALE_WORDS[shown.scale.kind]} scale${left}`,
    low: find('scale-low').textContent,
    high: find('scale-high').textContent,
    even: shown.scale.high < 1 / tokensOf() ? null : place(1 / tokensOf(), shown.scale),
  });
  canvas.toBlob((blob) => download(blob, fileName('png')));
}

function saveNumbers() {
  if (!shown) return;
  const [rows, cols] = data.grid;
  const prefix = data.prefix.length;
  const exact = (value) => Number(value.toPrecision(6));
  const maps = shown.looks.map(({ query, values }) => ({
    query: tokenName(data, query),
    token: query,
    prefix: Object.fromEntries(data.prefix.map((name, i) => [name, exact(values[i])])),
    map: Array.from({ length: rows }, (_, r) => Array.from(values.subarray(prefix + r * cols, prefix + (r + 1) * cols), exact)),
  }));
  const manifest = {
    ...data.facts,
    precision: 'each weight within 1/255 of the largest of its row and head',
    options: optionsNow(),
    left_out: shown.sinks.map((token) => tokenName(data, token)),
    even_share: 1 / tokensOf(),
    made: new Date().toISOString(),
  };
  download(new Blob([JSON.stringify({ manifest, maps }, null, 1)], { type: 'application/json' }), fileName('json'));
}
