// State, loading and events of the tab. One photo is one run.

const root = element.querySelector('.ax');
const find = (role) => root.querySelector(`[data-role="${role}"]`);

let data = null; // what the server sent
let detail = null; // its numbers per patch
let photo = null;
const cards = []; // { layer, head, card }, in reading order
let run = 0;
const view = {
  panel: 'heads', every: false, tag: 'all', layer: 'all', sort: 'layer', pointed: null,
  chosen: -1, wanted: -1, depth: -1, patch: -1, drawn: null, sink: 0,
};

const LEADS = {
  heads: 'Map: what the token that is read out looks at in this head. Words: what the patches do. Click a card to open it in the explorer.',
  patches: 'The head, made for the read-out, applied to every patch alone. Point at the photo to hear a patch.',
  sinks: 'Some tokens receive far more attention than their share. Darcet et al. (2024) found that large models use such patches as scratch space.',
};

function veil(text, kind) {
  root.dataset.state = kind;
  find('veil').textContent = text;
}

function showPanel() {
  for (const button of root.querySelectorAll('[data-panel]')) button.setAttribute('aria-pressed', String(button.dataset.panel === view.panel));
  for (const name of ['heads', 'patches', 'sinks']) find(`panel-${name}`).hidden = name !== view.panel;
  find('lead').textContent = LEADS[view.panel];
  if (!data || root.dataset.state !== 'ready') return;
  if (view.panel === 'patches') showPatches();
  if (view.panel === 'sinks') showSinks();
}

async function fetchDetail(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(reply.status === 403 || reply.status === 404 ? 'expired' : 'unreachable');
  const found = JSON.parse(await new Response(reply.body.pipeThrough(new DecompressionStream('gzip'))).text());
  const shares = (rows) => rows.map((row) => (Array.isArray(row[0]) ? shares(row) : Float32Array.from(row, (v) => v / 1e6)));
  for (const name of ['maps', 'rollouts', 'sure', 'class_maps']) found[name] = shares(found[name]);
  return found;
}

async function openPhoto(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

async function load() {
  const mine = ++run;
  delete root.dataset.complete;
  const value = props.value;
  if (!value || !value.tags) {
    data = null;
    veil('Drop a photo on the left, paste one, or choose an example.', 'empty');
    return;
  }
  if (!data || view.wanted < 0) veil('Looking at every head …', 'busy');
  try {
    const [found, image] = await Promise.all([fetchDetail(value.detail.url), openPhoto(value.image.url)]);
    if (mine !== run) return;
    [data, detail, photo] = [value, found, image];
    const depth = data.tags.length;
    if (view.depth < 0 || view.depth >= depth || view.wanted < 0) view.depth = depth - 1;
    view.chosen = detail.classes.includes(view.wanted) ? view.wanted : detail.final.length ? detail.final[0] : -1;
    Object.assign(view, { wanted: -1, patch: -1, drawn: null, sink: 0 });
    root.style.setProperty('--aspect', `${data.grid[1]} / ${data.grid[0]}`);
    root.style.setProperty('--ratio', data.grid[1] / data.grid[0]);
    buildCards();
    showPlots();
    arrangeCards();
    buildStrip();
    root.dataset.state = 'ready';
    showPanel();
    root.dataset.complete = value.run;
  } catch (error) {
    if (mine !== run) return;
    data = null;
    veil(error.message === 'expired' ? 'The server has let go of this photo’s numbers. Drop the photo again to see them.'
      : 'The server cannot be reached. Check the connection and drop the photo again.', 'error');
  }
}

root.addEventListener('click', (event) => {
  const button = event.target.closest('[data-panel], [data-chip], [data-class], [data-depth], [data-sink]');
  if (!button) return;
  const { panel, chip, class: index, depth, sink } = button.dataset;
  if (panel) { view.panel = panel; showPanel(); }
  if (!data) return;
  if (chip) { view.tag = chip; arrangeCards(); }
  if (index) chooseClass(+index);
  if (depth) { view.depth = +depth; showPatches(); }
  if (sink) { view.sink = +sink; showSinks(); }
});
root.addEventListener('change', (event) => {
  const name = event.target.dataset.pick;
  if (!name || !data) return;
  view[name] = event.target.value;
  arrangeCards();
});
find('rest').addEventListener('click', () => { view.every = true; arrangeCards(); });
for (const role of ['distance', 'entropy']) {
  find(role).addEventListener('click', (event) => {
    if (event.target.dataset.at) openInExplorer(...event.target.dataset.at.split('.').map(Number));
  });
}
onChoice('layers', markCard);
// A new photo is on its way: nothing of the old one stays in sight. If it fails, what was there comes back.
onPage('explorer:begin', () => {
  run++;
  delete root.dataset.complete;
  veil('Looking at every head …', 'busy');
});
onPage('explorer:last', () => { if (!root.dataset.complete) load(); });
listenToPatches();
new ResizeObserver(() => { if (data && view.panel !== 'heads') showPanel(); }).observe(root);
watch('value', load);
showPanel();
load();
