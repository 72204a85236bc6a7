// Attention as numbers: fetching, decoding, rows and columns. Nothing here draws.

const SQUARES = Float32Array.from({ length: 256 }, (_, code) => (code / 255) ** 2);

// One layer's file: float32 largest weights [planes query], then uint8 codes [planes query key].
async function fetchLayer(url, planes, tokens) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(reply.status === 403 || reply.status === 404 ? 'expired' : 'unreachable');
  const raw = await new Response(reply.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  if (raw.byteLength !== planes * tokens * (4 + tokens)) throw new Error('incomplete');
  const head = planes * tokens * 4;
  return { largest: new Float32Array(raw.slice(0, head)), codes: new Uint8Array(raw, head), planes, tokens };
}

// Weights that one plane's query gives to every token ("from"), or that every token gives to it ("to").
// A query of -1 stands for the mean over all patches: the read-out of a model without a class token.
function weightsOf(layer, plane, query, direction, prefix, into) {
  const { tokens, codes, largest } = layer;
  if (query < 0) {
    const patches = tokens - prefix;
    const one = new Float32Array(tokens);
    for (let t = prefix; t < tokens; t++) {
      weightsOf(layer, plane, t, direction, prefix, one.fill(0));
      for (let i = 0; i < tokens; i++) into[i] += one[i] / patches;
    }
    return into;
  }
  if (direction === 'from') {
    const row = plane * tokens + query;
    const top = largest[row];
    for (let key = 0; key < tokens; key++) into[key] = top * SQUARES[codes[row * tokens + key]];
  } else {
    for (let asker = 0; asker < tokens; asker++) {
      const row = plane * tokens + asker;
      into[asker] = largest[row] * SQUARES[codes[row * tokens + query]];
    }
  }
  return into;
}

// One head, or the mean, the largest or the smallest over heads; heads are decoded before they are combined.
function fused(layer, heads, choice, query, direction, prefix) {
  const single = () => new Float32Array(layer.tokens);
  if (typeof choice === 'number') return weightsOf(layer, choice, query, direction, prefix, single());
  const total = weightsOf(layer, 0, query, direction, prefix, single());
  const one = single();
  for (let head = 1; head < heads; head++) {
    weightsOf(layer, head, query, direction, prefix, one.fill(0));
    for (let i = 0; i < total.length; i++) {
      if (choice === 'max') total[i] = Math.max(total[i], one[i]);
      else if (choice === 'min') total[i] = Math.min(total[i], one[i]);
      else total[i] += one[i];
    }
  }
  if (choice === 'mean') for (let i = 0; i < total.length; i++) total[i] /= heads;
  return total;
}

function rankOf(values, prefix, index) {
  let rank = 1;
  for (let i = prefix; i < values.length; i++) if (values[i] > values[index]) rank++;
  return rank;
}
