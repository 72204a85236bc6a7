// Figures that came as SVG: put into the page with the page's own colours, so that they can be read in light and dark.

const root = element.querySelector('.ax');
const find = (role) => root.querySelector(`[data-role="${role}"]`);
let run = 0;

function veil(text, kind) {
  root.dataset.state = kind;
  find('veil').textContent = text;
}

const download = (href, name) => node('a', undefined, { href, download: name }).click();

// The figure's fixed colours become the page's; ids get a name of their own, as figures share one page.
function drawingOf(text, name, [ink, faint, accent]) {
  const colours = { [ink]: 'currentColor', [faint]: 'var(--line)', [accent]: 'var(--mark)' };
  let drawn = text;
  for (const [from, to] of Object.entries(colours)) drawn = drawn.replaceAll(from, to);
  const made = new DOMParser().parseFromString(drawn, 'image/svg+xml').documentElement;
  if (made.nodeName !== 'svg') throw new Error('damaged');
  const own = (id) => `${name}-${id}`;
  for (const each of made.querySelectorAll('*')) {
    if (each.id) each.id = own(each.id);
    for (const attribute of each.attributes) {
      const { name: key, value } = attribute;
      if (value.includes('url(#')) each.setAttribute(key, value.replace('url(#', `url(#${name}-`));
      else if (key.endsWith('href') && value.startsWith('#')) attribute.value = `#${own(value.slice(1))}`;
    }
  }
  return made;
}

// As a PNG on white, three times the screen's density, drawn by the browser from the SVG.
async function savePng(text, name) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
  await image.decode();
  const canvas = node('canvas');
  canvas.width = image.naturalWidth * 3;
  canvas.height = image.naturalHeight * 3;
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => {
    const url = URL.createObjectURL(blob);
    download(url, `${name}.png`);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
}

async function figureOf({ name, title, words, svg }, ink, model) {
  const reply = await fetch(svg.url);
  if (!reply.ok) throw new Error('expired');
  const text = await reply.text();
  const made = node('figure', undefined, { 'data-figure': name });
  const frame = node('div', undefined, { class: 'md-drawing', role: 'img', 'aria-label': words[0] });
  frame.append(drawingOf(text, name, ink));
  const caption = node('figcaption');
  caption.append(node('span', `${words[0]} `), node('span', words[1]));
  const links = node('div', undefined, { class: 'md-links' });
  const file = `${name}-${model.replaceAll('/', '-')}`;
  const vector = node('button', 'SVG', { type: 'button', 'aria-label': `Download “${title}” as SVG` });
  vector.addEventListener('click', () => {
    const url = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }));
    download(url, `${file}.svg`);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  const pixels = node('button', 'PNG', { type: 'button', 'aria-label': `Download “${title}” as PNG` });
  pixels.addEventListener('click', () => savePng(text, file));
  links.append(vector, pixels);
  made.append(node('h3', title), frame, caption, links);
  return made;
}

async function load() {
  const mine = ++run;
  delete root.dataset.complete;
  const value = props.value;
  if (!value || !value.figures) return veil('Choose a photo: attention distance is measured on it.', 'empty');
  if (root.dataset.state !== 'ready') veil('Drawing the model …', 'busy');
  try {
    const figures = await Promise.all(value.figures.map((figure) => figureOf(figure, value.ink, value.model)));
    if (mine !== run) return;
    find('figures').replaceChildren(...figures, find('parts'));
    find('summary').textContent = value.summary;
    find('lead').textContent = `What ${value.title} has learned, as in figure 7 of the paper that introduced the Vision Transformer (arXiv 2010.11929).`;
    root.dataset.state = 'ready';
    root.dataset.complete = value.run;
  } catch {
    if (mine === run) veil('The figures cannot be fetched. Drop the photo again to see them.', 'error');
  }
}

// A new photo or model is on its way; if it fails, what was there comes back.
onPage('explorer:begin', () => {
  run++;
  delete root.dataset.complete;
  veil('Drawing the model …', 'busy');
});
onPage('explorer:last', () => { if (!root.dataset.complete) load(); });
watch('value', load);
load();
