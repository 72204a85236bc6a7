// Attention as numbers: decoding, rows and columns, heads combined, sinks left out. Nothing here draws or fetches.

const SQUARES = Float32Array.from({ length: 256 }, (_, code) => (code / 255) ** 2);

// One layer's bytes: float32 largest weights [planes query], then uint8 codes [planes query key].
function decode(raw, planes, tokens) {
  if (raw.byteLength !== planes * tokens * (4 + tokens)) throw new Error('incomplete');
  const head = planes * tokens * 4;
  return { largest: new Float32Array(raw, 0, planes * tokens), codes: new Uint8Array(raw, head), planes, tokens, kept: new Map() };
}

// What is computed once per layer and then kept with it.
function keep(layer, name, make) {
  if (!layer.kept.has(name)) layer.kept.set(name, make());
  return layer.kept.get(name);
}

// Weights that one plane's query gives to every token ("from"), or that every token gives to it ("to").
// A query of -1 stands for the mean over all patches: the read-out of a model without a class token.
function weightsOf(layer, plane, query, direction, prefix) {
  if (query < 0) return keep(layer, `patches ${plane} ${direction}`, () => meanOfPatches(layer, plane, direction, prefix));
  const { tokens, codes, largest } = layer;
  const into = new Float32Array(tokens);
  if (direction === 'from') {
    const row = plane * tokens + query;
    const top = largest[row];
    for (let key = 0, at = row * tokens; key < tokens; key++, at++) into[key] = top * SQUARES[codes[at]];
  } else {
    for (let asker = 0, row = plane * tokens; asker < tokens; asker++, row++) {
      into[asker] = largest[row] * SQUARES[codes[row * tokens + query]];
    }
  }
  return into;
}

function meanOfPatches(layer, plane, direction, prefix) {
  const total = new Float32Array(layer.tokens);
  for (let token = prefix; token < layer.tokens; token++) {
    const one = weightsOf(layer, plane, token, direction, prefix);
    for (let i = 0; i < total.length; i++) total[i] += one[i] / (layer.tokens - prefix);
  }
  return total;
}

// Heads are decoded before they are combined: "mean", "max" or "min" of their maps.
function combine(maps, choice) {
  const total = Float32Array.from(maps[0]);
  for (const one of maps.slice(1)) {
    for (let i = 0; i < total.length; i++) {
      if (choice === 'mean') total[i] += one[i];
      else if (choice === 'max' ? one[i] > total[i] : one[i] < total[i]) total[i] = one[i];
    }
  }
  if (choice === 'mean') for (let i = 0; i < total.length; i++) total[i] /= maps.length;
  return total;
}

// Sinks: the few tokens that soak up attention in every row. A token is one if at least nine tokens in ten give it
// five times an even share or more, in the mean of the planes; at most one token in twenty is left out.
const SINK = { share: 5, rows: 0.9, most: 0.05 };

function sinksOf(layer, planes) {
  return keep(layer, `sinks ${planes}`, () => {
    const { tokens, codes, largest } = layer;
    const rows = new Float32Array(tokens);
    const totals = new Float32Array(tokens);
    const mean = new Float32Array(tokens);
    for (let query = 0; query < tokens; query++) {
      mean.fill(0);
      for (const plane of planes) {
        const row = plane * tokens + query;
        const top = largest[row] / planes.length;
        for (let key = 0, at = row * tokens; key < tokens; key++, at++) mean[key] += top * SQUARES[codes[at]];
      }
      for (let key = 0; key < tokens; key++) {
        totals[key] += mean[key];
        if (mean[key] * tokens >= SINK.share) rows[key]++;
      }
    }
    const found = [...rows.keys()].filter((key) => rows[key] >= SINK.rows * tokens).sort((a, b) => totals[b] - totals[a]);
    return found.slice(0, Math.ceil(SINK.most * tokens));
  });
}

// The map of one plane without the sinks: what each row gives to the others makes up the whole again. Heads are
// combined after that.
function withoutSinks(values, layer, plane, query, direction, prefix, sinks) {
  if (!sinks.length) return values;
  const left = Float32Array.from(values);
  if (direction === 'from') {
    let total = 0;
    for (const sink of sinks) left[sink] = 0;
    for (const value of left) total += value;
    for (let i = 0; i < left.length; i++) left[i] /= total || 1;
    return left;
  }
  if (sinks.includes(query)) return left.fill(0);
  const lost = new Float32Array(left.length);
  for (const sink of sinks) {
    const column = weightsOf(layer, plane, sink, 'to', prefix);
    for (let i = 0; i < lost.length; i++) lost[i] += column[i];
  }
  for (let i = 0; i < left.length; i++) left[i] /= Math.max(1e-6, 1 - lost[i]);
  return left;
}

function rankOf(values, prefix, index) {
  let rank = 1;
  for (let i = prefix; i < values.length; i++) if (values[i] > values[index]) rank++;
  return rank;
}

function strongestOf(values, prefix) {
  let best = prefix;
  for (let i = prefix; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
