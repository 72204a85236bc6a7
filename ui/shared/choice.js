// The layer, head and query that the visitor has chosen: one choice for all parts of the page. Whoever changes it says
// so; the others follow. Layers, heads and tokens count from 0; a head is a number or 'mean', 'max', 'min'; a query of -1
// is the mean of all patches. A part that mounts later starts from `lastChoice()`.

const lastChoice = () => window.explorerChoice || null;

function publishChoice(from, { layer, head, query }) {
  window.explorerChoice = { layer, head, query };
  document.dispatchEvent(new CustomEvent('explorer:choice', { detail: { layer, head, query, from } }));
}

function onChoice(me, follow) {
  const listen = (event) => {
    if (!element.isConnected) document.removeEventListener('explorer:choice', listen);
    else if (event.detail.from !== me) follow(event.detail);
  };
  document.addEventListener('explorer:choice', listen);
}
