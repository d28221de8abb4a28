// Axes: from values to pixels, and ticks that people read.

/** A scale from `low`…`high` to the pixels `from`…`to`; null for what has no place on it. */
function makeScale(low, high, from, to, log) {
  const [a, b] = log ? [Math.log(low), Math.log(high)] : [low, high];
  const margin = (b - a || Math.abs(a) || 1) * 0.05;
  const [first, last] = [a - margin, b + margin];
  const place = (value) => {
    const at = log ? Math.log(value) : value;
    return Number.isFinite(at) ? from + ((at - first) / (last - first)) * (to - from) : null;
  };
  const ends = log ? [Math.exp(first), Math.exp(last)] : [first, last];
  return { place, low: ends[0], high: ends[1], log };
}

/** Round values within a scale: powers of two of bytes, else 1, 2 and 5 times powers of ten. */
function ticks(scale, bytes, most) {
  const { low, high } = scale;
  if (!scale.log || high / low < 4) {
    const rough = (high - low) / most;
    const step = bytes
      ? 2 ** Math.ceil(Math.log2(rough))
      : [1, 2, 5, 10].map((m) => m * 10 ** Math.floor(Math.log10(rough))).find((s) => s >= rough);
    const first = Math.ceil(low / step);
    const count = Math.floor(high / step) - first + 1;
    return Array.from({ length: count }, (_, n) => (first + n) * step);
  }
  const base = bytes ? 2 : 10;
  const first = Math.floor(Math.log(low) / Math.log(base));
  const last = Math.ceil(Math.log(high) / Math.log(base));
  const between = bytes || last - first > most / 2 ? [1] : [1, 2, 5];
  const step = Math.ceil((last - first) / most);
  const found = [];
  for (let power = first; power <= last; power += step) {
    for (const m of between) found.push(m * base ** power);
  }
  return found.filter((value) => value >= low && value <= high);
}

/** A tick in few characters: "64 Ki" of bytes, "2.5 M" of others. */
function short(value, bytes) {
  const [base, names] = bytes ? [1024, ["", " Ki", " Mi", " Gi", " Ti"]]
    : [1000, ["", " k", " M", " G", " T"]];
  let power = 0;
  while (Math.abs(value) >= base && power < names.length - 1) {
    value /= base;
    power += 1;
  }
  return `${Number(value.toPrecision(4))}${names[power]}`;
}
