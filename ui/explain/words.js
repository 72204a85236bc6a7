// Scores in words and in order. A map is judged by insertion − deletion: high when the class appears early as patches
// are shown, and disappears early as they are covered.

const worth = (score) => score.insertion - score.deletion;

// Three decimals; small areas keep two digits that mean something.
function area(x) {
  if (Math.abs(x) >= 0.0095 || x === 0) return x.toFixed(3).replace('-', '−');
  if (Math.abs(x) < 1e-5) return '0.000';
  return Number(x.toPrecision(2)).toString().replace('-', '−');
}

// A rank correlation; −0.00 is 0.00.
const rho = (r) => (Math.abs(r) < 0.005 ? 0 : r).toFixed(2).replace('-', '−');

function listed(names) {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

function meanScore(scores) {
  const mean = (of) => scores.reduce((sum, s) => sum + of(s), 0) / scores.length;
  const curve = (name) => scores[0][name].map((_, k) => mean((s) => s[name][k]));
  return {
    insertion: mean((s) => s.insertion), deletion: mean((s) => s.deletion), counts: scores[0].counts,
    insertion_curve: curve('insertion_curve'), deletion_curve: curve('deletion_curve'),
  };
}

// The two baselines as one bar to clear: the centre blob, and every one of the random maps.
function barOf(centre, randoms) {
  if (!centre || !randoms.length) return null;
  const each = randoms.map(worth);
  return { centre: worth(centre), low: Math.min(...each), high: Math.max(...each), seeds: each.length };
}

const better = (score, bar) => worth(score) > bar.centre && worth(score) > bar.high;

// Place of each name, 1 for the best; equal worth shares a place.
function ranksOf(scores) {
  const ranks = new Map();
  for (const [name, score] of scores) {
    ranks.set(name, 1 + [...scores.values()].filter((other) => worth(other) > worth(score)).length);
  }
  return ranks;
}

// Which maps beat both baselines, which at least all random maps, which lie among those, and which below them all.
function verdictOf(labels, scores, bar, name) {
  const sorted = [...scores].sort(([, a], [, b]) => worth(b) - worth(a));
  const those = (test) => sorted.filter(([, score]) => test(score)).map(([method]) => labels[method]);
  const good = those((score) => better(score, bar));
  const half = those((score) => !better(score, bar) && worth(score) > bar.high);
  const same = those((score) => worth(score) <= bar.high && worth(score) >= bar.low);
  const worse = those((score) => worth(score) < bar.low);
  const verb = (many, one, more) => `${listed(many)} ${many.length === 1 ? one : more}`;
  const words = [
    good.length
      ? `For “${name}”, ${verb(good, 'puts', 'put')} the patches in a better order than both baselines.`
      : `For “${name}”, no map here puts the patches in a better order than both baselines.`,
  ];
  if (half.length) words.push(`${verb(half, 'beats', 'beat')} every random map, but not a blob in the middle.`);
  if (same.length) words.push(`${listed(same)} cannot be told from the random maps.`);
  if (worse.length) words.push(`${verb(worse, 'does', 'do')} worse than every random map.`);
  return words.join(' ');
}

function ruleOf(bar, shares, target) {
  const test = `A better order: insertion minus deletion is above the centre blob’s (${area(bar.centre)}) and above all ` +
    `${bar.seeds} random maps’ (${area(bar.low)} to ${area(bar.high)}). One photo is one sample.`;
  const share = shares[target];
  return share < 0.01 ? `${test} The model gives this class only ${percent(share)} here, so the areas are small and say little.` : test;
}

// Which two of these maps are most alike, and which least.
function agreementWords(names, labels, numbers) {
  let most = null;
  let least = null;
  for (let i = 0; i < names.length; i++) {
    for (let j = 0; j < i; j++) {
      const r = numbers[i][j];
      if (r === null) continue;
      if (!most || r > most.r) most = { r, i, j };
      if (!least || r < least.r) least = { r, i, j };
    }
  }
  if (!most || most === least) return '';
  const pair = ({ r, i, j }) => `${labels[names[j]]} and ${labels[names[i]]} (${rho(r)})`;
  return `Most alike: ${pair(most)}. Least alike: ${pair(least)}.`;
}

// What the two checks say: rank correlations, 1 for the same order of patches.
function checkWords(what, r, label) {
  const value = rho(r);
  if (what === 'stability') {
    const calm = r >= 0.8 ? 'It hardly changes' : r >= 0.5 ? 'It changes somewhat' : 'It changes a lot';
    return `${calm} when the photo is mirrored or shifted a little: rank correlation ${value}.`;
  }
  const moves = r < 0.3 ? 'Yes' : r < 0.7 ? 'Partly' : 'Hardly';
  return `${moves}: with the last blocks filled with random numbers, ${label} gives a map with rank correlation ${value} to this one${r >= 0.7 ? ', so much of it does not come from what the model learnt' : ''}.`;
}
