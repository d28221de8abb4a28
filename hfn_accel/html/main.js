// What happens when: the page's state, and its parts redrawn from it.

const at = (id) => document.getElementById(id);
const given = JSON.parse(at("data").textContent);
const columns = await Promise.all(given.columns.map(decode));
const numbers = columns.filter((c) => !c.texts);
const reason = columns.find((c) => c.reason);
const everyPoint = Array.from({ length: given.count }, (_, i) => i);
const fits = (i) => !reason || reason.texts[reason.values[i]] === "";
const fitting = everyPoint.filter(fits), unfit = everyPoint.filter((i) => !fits(i));
const varies = new Set(columns.filter(({ values }) => {
  const first = values.find((value) => !Number.isNaN(value));
  return values.some((value) => value !== first && !Number.isNaN(value));
}));

const state = {
  points: fitting, unfit, front: [], tab: "fitting", // what is shown
  point: null, kept: false, hover: null, // the chosen point; `hover`: the one under the pointer
};
const chart = new Chart(at("chart"));
const table = new Table(at("rows"), (i) => select(i, { keep: true }));
const x = new AxisControl(at("x-axis"), numbers, given.x, fitting, refresh);
const y = new AxisControl(at("y-axis"), numbers, given.y, fitting, refresh);
const asked = columns.filter((c) => !c.reason);
const colour = choice("column", asked.map((c) => [c.name, c.label]), refresh);
colour.value = given.colour;
at("colour").append(colour);
const filters = new FilterControl(at("filters"), asked, refresh);

let due = false;
/** Redraws everything, once before the next frame. */
function refresh() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    update();
  });
}

function update() {
  const wanted = filters.filters;
  const [inside, outside] = [fitting, unfit].map((some) => some.filter((i) => passes(wanted, i)));
  const axes = [x.axis, y.axis];
  const known = inside.filter((i) => axes.every(({ column }) => !Number.isNaN(column.values[i])));
  Object.assign(state, { points: inside, unfit: outside, front: front(known, ...axes) });
  const [shown, all, best, others, misfits] = [inside, fitting, state.front, outside, unfit]
    .map((some) => GROUPS.format(some.length));
  at("count").textContent = `${shown} of ${all} points that fit, ${best} on the front; `
    + `${others} of ${misfits} that do not fit`;
  draw();
  fill();
}

function draw() {
  const column = painted();
  const marks = makeMarks(column, fitting);
  chart.draw({ points: state.points, front: state.front, x: x.axis, y: y.axis, marks });
  at("legend").replaceChildren(...legendOf(marks, column.label));
  at("chart").ariaLabel = `${y.axis.column.label} against ${x.axis.column.label}`;
  point();
}

/** The table of the chosen tab, columns that vary first. Points that do not fit have no figures. */
function fill() {
  const good = state.tab === "fitting";
  for (const id of ["fitting", "unfit"]) at(id).ariaSelected = id === state.tab;
  at("rows").setAttribute("aria-labelledby", state.tab);
  const of = good ? asked : columns.filter((c) => c.reason || c.design);
  const rank = (c) => (c.reason ? 0 : varies.has(c) ? 1 : 2);
  table.show(of.toSorted((a, b) => rank(a) - rank(b)), good ? state.points : state.unfit);
}

/** Shows a point everywhere, or none; a kept one stays in sight until another is kept. */
function select(i, { keep = false, more = 0 } = {}) {
  state.hover = i === null ? null : { i, more };
  if (i !== null && (keep || !state.kept)) {
    Object.assign(state, { point: i, kept: keep });
    describe(i);
    table.select(i, keep);
  }
  point();
}

/** The ring around the shown point, and the hint beside it. */
function point() {
  const shown = state.hover ?? (state.kept ? { i: state.point, more: 0 } : null);
  const axes = [x.axis.column, y.axis.column];
  const drawn = shown && chart.x && chart.y && fits(shown.i) && passes(filters.filters, shown.i);
  const place = drawn ? chart.place(...axes.map((c) => c.values[shown.i])) : null;
  at("ring").hidden = at("hint").hidden = !place;
  if (!place) return;
  const lines = [...new Set([...axes, painted()])].map((c) => `${c.label}: ${show(c, shown.i)}`);
  if (shown.more > 0) lines.push(`and ${GROUPS.format(shown.more)} more here`);
  at("hint").textContent = lines.join("\n");
  const [px, py] = place;
  const [wide, high] = [at("hint").offsetWidth, at("hint").offsetHeight];
  const left = px + 14 + wide <= at("stage").clientWidth ? px + 14 : px - 14 - wide;
  move(at("ring"), px, py);
  move(at("hint"), Math.max(0, left), Math.max(0, py - high - 10));
}

function move(node, left, top) {
  node.style.left = `${left}px`;
  node.style.top = `${top}px`;
}

/** The column that colours the points. */
function painted() {
  return columns.find(({ name }) => name === colour.value);
}

/** All columns of a point: the design, then its figures. */
function describe(i) {
  const axes = [x.axis.column, y.axis.column];
  const line = (column) => [
    element("dt", { className: axes.includes(column) ? "axis" : "" }, column.label),
    element("dd", { className: axes.includes(column) ? "axis" : "" }, show(column, i)),
  ];
  at("design").replaceChildren(...columns.toSorted((a, b) => b.design - a.design).flatMap(line));
  at("none").hidden = true;
}

at("chart").addEventListener("pointermove", (event) => {
  const [i, more] = chart.nearest(event.offsetX, event.offsetY) ?? [null, 0];
  if (i !== (state.hover?.i ?? null)) select(i, { more });
});
at("chart").addEventListener("pointerleave", () => select(null));
at("chart").addEventListener("click", (event) => {
  const [i, more] = chart.nearest(event.offsetX, event.offsetY) ?? [null, 0];
  if (i === null) state.kept = false;
  select(i, { more, keep: true });
});
at("chart").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const now = state.front.indexOf(state.hover?.i ?? state.point);
  if (step && state.front.length) {
    event.preventDefault();
    state.kept = false;
    select(state.front[Math.min(Math.max(now + step, 0), state.front.length - 1)]);
  } else if (event.key === "Enter" && state.hover) {
    select(state.hover.i, { keep: true });
  } else if (event.key === "Escape") {
    state.kept = false;
    select(null);
  }
});
for (const id of ["fitting", "unfit"]) {
  at(id).addEventListener("click", () => {
    state.tab = id;
    fill();
  });
}
at("export").addEventListener("click", () => {
  const points = [...state.points, ...state.unfit].sort((i, j) => i - j);
  const url = URL.createObjectURL(new Blob([csv(columns, points)], { type: "text/csv" }));
  element("a", { href: url, download: "points.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
});
new ResizeObserver(draw).observe(at("stage"));
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", draw);
}
update();
document.documentElement.dataset.ready = "";
