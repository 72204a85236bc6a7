// The layers of one photo, decoded, within a budget of bytes: those nearest to the layer in sight stay, and are fetched
// ahead; far ones are let go and fetched again when they are asked for.

const AT_ONCE = 3; // fetches beside each other: more would only delay the layer that is waited for

function openStore(files, planes, tokens, budget, changed) {
  const held = new Map(); // layer -> decoded
  const coming = new Map(); // layer -> promise
  const failed = new Map(); // layer -> what went wrong: 'expired', 'incomplete' or 'unreachable'
  const most = Math.min(files.length, Math.max(2, Math.floor(budget / (planes * tokens * (4 + tokens)))));
  const abort = new AbortController();
  let near = files.length - 1;
  let filling = null; // the promise of what is being fetched ahead

  async function read(l) {
    const reply = await fetch(files[l].url, { signal: abort.signal }).catch(() => { throw new Error('unreachable'); });
    if (!reply.ok) throw new Error(reply.status === 403 || reply.status === 404 ? 'expired' : 'unreachable');
    const inflated = new Response(reply.body.pipeThrough(new DecompressionStream('gzip')));
    return decode(await inflated.arrayBuffer().catch(() => { throw new Error('incomplete'); }), planes, tokens);
  }

  function letGo() {
    while (held.size > most) {
      const far = [...held.keys()].reduce((a, b) => (Math.abs(b - near) > Math.abs(a - near) ? b : a));
      held.delete(far);
    }
  }

  // The layer, fetched if need be, whether or not it is kept.
  function want(l) {
    if (held.has(l)) return Promise.resolve(held.get(l));
    if (!coming.has(l)) {
      failed.delete(l);
      const promise = read(l).then(
        (layer) => { held.set(l, layer); letGo(); return layer; },
        (error) => { failed.set(l, error.message); throw error; },
      ).finally(() => { coming.delete(l); if (!abort.signal.aborted) changed(l); });
      coming.set(l, promise);
    }
    return coming.get(l);
  }

  // Fetch what lies nearest to the layer in sight, later layers first, until the budget is full of near ones. Says
  // whether all of them are there.
  function fill() {
    filling ||= nearest().finally(() => { filling = null; });
    return filling;
  }

  async function nearest() {
    for (;;) {
      const order = [...files.keys()].sort((a, b) => Math.abs(a - near) - Math.abs(b - near) || b - a).slice(0, most);
      const next = order.filter((l) => !held.has(l) && !coming.has(l) && !failed.has(l));
      if (abort.signal.aborted) return false;
      if (!next.length && !coming.size) return !failed.size;
      for (const l of next.slice(0, Math.max(0, AT_ONCE - coming.size))) want(l).catch(() => {});
      await Promise.race(coming.values()).catch(() => {});
    }
  }

  return {
    get: (l) => held.get(l),
    has: (l) => held.has(l),
    failure: (l) => failed.get(l),
    want,
    fill,
    look(l) { near = l; if (!held.has(l)) want(l).catch(() => {}); fill(); },
    close: () => abort.abort(),
  };
}
