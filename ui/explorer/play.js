// Playing through the layers.

const PLAY_MS = 450; // a layer
let player = 0;

function stop() {
  clearInterval(player);
  player = 0;
  root.querySelector('[data-act="play"]').setAttribute('aria-pressed', 'false');
}

function play() {
  if (player) { stop(); return chose(); }
  if (!data) return;
  if (state.layer === data.layers.length - 1) goTo(0);
  root.querySelector('[data-act="play"]').setAttribute('aria-pressed', 'true');
  player = setInterval(() => {
    if (!store.has(state.layer) && !store.failure(state.layer)) return; // it is on its way
    goTo(state.layer + 1);
    if (state.layer < data.layers.length - 1) return;
    stop();
    chose();
  }, PLAY_MS);
}
