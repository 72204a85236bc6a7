// The layer, head and query that the visitor has chosen: one choice for all parts of the page. Whoever changes it says
// so; the others follow. Layers, heads and tokens count from 0; a head is a number or 'mean', 'max', 'min'; a query of -1
// is the mean of all patches. A part that mounts later starts from `lastChoice()`.

const lastChoice = () => window.explorerChoice || null;

function publishChoice(from, { layer, head, query }) {
  window.explorerChoice = { layer, head, query };
  document.dispatchEvent(new CustomEvent('explorer:choice', { detail: { layer, head, query, from } }));
}

// Hear what is said on the page for as long as this part is in it. The page says `explorer:begin` when a new photo or
// model is on its way, and `explorer:last` when that failed and what was there is to be shown again.
function onPage(name, act) {
  const listen = (event) => (element.isConnected ? act(event) : document.removeEventListener(name, listen));
  document.addEventListener(name, listen);
}

function onChoice(me, follow) {
  onPage('explorer:choice', ({ detail }) => { if (detail.from !== me) follow(detail); });
}
