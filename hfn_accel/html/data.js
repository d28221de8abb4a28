// The table of points: columns decoded, the points that a filter leaves, fronts, CSV.

/** Bytes of a base64 text, deflated. */
async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** A column as the page uses it: `values` has an entry a point, a number (NaN: none) or, where the
 * column is text, the index in `texts`, which are sorted. */
async function decode(column) {
  const bytes = await inflate(column.data);
  const values = column.texts ? new Uint32Array(bytes) : new Float64Array(bytes);
  return { ...column, values };
}

const GROUPS = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 15 });

/** A point's entry as people read it: groups of three digits, "–" for none. */
function show(column, i) {
  const value = column.values[i];
  if (column.texts) return column.texts[value];
  return Number.isNaN(value) ? "–" : GROUPS.format(value);
}

/** Whether a point passes all filters: {column, low, high} or, of text, {column, chosen}, a set of
 * indices. What has no number passes no range that is narrowed. */
function passes(filters, i) {
  return filters.every(({ column, low, high, chosen }) => {
    const value = column.values[i];
    if (chosen) return chosen.has(value);
    if (Number.isNaN(value)) return low === -Infinity && high === Infinity;
    return low <= value && value <= high;
  });
}

/** The points of `points` that no other beats, ordered along x; `x` and `y` have `values` and
 * `more`, whether more is better. Equal points are on the front together. */
function front(points, x, y) {
  const [a, b] = [x, y].map((axis) => {
    const sign = axis.more ? -1 : 1;
    return (i) => sign * axis.column.values[i];
  });
  const order = points.toSorted((i, j) => a(i) - a(j) || b(i) - b(j));
  const chosen = [];
  for (const i of order) {
    const last = chosen.at(-1) ?? null;
    const equal = last !== null && a(i) === a(last) && b(i) === b(last);
    if (last === null || b(i) < b(last) || equal) chosen.push(i);
  }
  return x.more ? chosen.reverse() : chosen;
}

/** RFC 4180: a row a point, under the columns' names; nothing where there is no number. */
function csv(columns, points) {
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (column, i) => {
    const value = column.values[i];
    if (column.texts) return quote(column.texts[value]);
    return Number.isNaN(value) ? "" : String(value);
  };
  const rows = [columns.map((c) => quote(c.name))];
  for (const i of points) rows.push(columns.map((column) => cell(column, i)));
  return rows.map((row) => row.join(",") + "\r\n").join("");
}
