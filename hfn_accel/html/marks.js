// How points look: Okabe and Ito's colours with a shape each, so that colour is never alone, or a
// ramp from blue to orange for columns of many numbers.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "", "#e69f00", "#56b4e9", "#8a8a8a"];
const RAMP = [[0, 114, 178], [138, 138, 138], [230, 159, 0]];
const STEPS = 24; // colours of the ramp
const MOST = 16; // different numbers that have a colour each

const SHAPES = [
  (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
  (c, r) => c.rect(-0.85 * r, -0.85 * r, 1.7 * r, 1.7 * r),
  (c, r) => polygon(c, [[0, -1.1 * r], [1.05 * r, 0.8 * r], [-1.05 * r, 0.8 * r]]),
  (c, r) => polygon(c, [[0, -1.2 * r], [1.2 * r, 0], [0, 1.2 * r], [-1.2 * r, 0]]),
  (c, r) => polygon(c, [[0, 1.1 * r], [1.05 * r, -0.8 * r], [-1.05 * r, -0.8 * r]]),
];

function polygon(context, corners) {
  for (const corner of corners) context.lineTo(...corner);
  context.closePath();
}

/** A property of the page's style, such as --ink. */
function styled(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** One mark as an image of `size` CSS pixels. */
function image(colour, shape, size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.ceil(size * devicePixelRatio);
  const context = canvas.getContext("2d");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.fillStyle = colour || styled("--ink");
  context.beginPath();
  SHAPES[shape](context, canvas.width * 0.38);
  context.fill();
  return canvas;
}

/** The looks of a column's points: `of(i)`, a number for the point i, `image(look, size)`, and
 * `keys`, the legend: [text, look] each, or for a ramp the texts of its ends. */
function makeMarks(column, points) {
  const known = points.filter((i) => !Number.isNaN(column.values[i]));
  const distinct = [...new Set(known.map((i) => column.values[i]))].sort((a, b) => a - b);
  if (!column.texts && distinct.length > MOST) {
    return makeRamp(column, distinct[0], distinct.at(-1));
  }
  const looks = new Map(distinct.map((value, n) => [value, n]));
  const text = (value) => (column.texts ? column.texts[value] : short(value, column.bytes));
  const keys = distinct.map((value, n) => [text(value), n]);
  if (known.length < points.length) keys.push(["–", distinct.length]);
  return {
    keys,
    of: (i) => looks.get(column.values[i]) ?? distinct.length,
    image: (look, size) => image(COLOURS[look % COLOURS.length], look % SHAPES.length, size),
  };
}

function makeRamp(column, low, high) {
  const colour = (look) => {
    const at = (look / (STEPS - 1)) * (RAMP.length - 1);
    const n = Math.min(Math.floor(at), RAMP.length - 2);
    const mixed = RAMP[n].map((from, k) => from + (at - n) * (RAMP[n + 1][k] - from));
    return `rgb(${mixed.map(Math.round)})`;
  };
  return {
    ramp: { ends: [low, high].map((value) => short(value, column.bytes)), colour },
    of: (i) => {
      const share = (column.values[i] - low) / (high - low);
      return Number.isNaN(share) ? STEPS : Math.round(share * (STEPS - 1));
    },
    image: (look, size) => image(...(look < STEPS ? [colour(look), 0] : ["#8a8a8a", 3]), size),
  };
}

/** The legend of `marks`, as nodes. */
function legendOf(marks, label) {
  const title = document.createElement("span");
  title.textContent = `${label}:`;
  if (!marks.ramp) {
    const entries = marks.keys.map(([text, look]) => {
      const entry = document.createElement("span");
      entry.append(marks.image(look, 14), text);
      return entry;
    });
    return [title, ...entries];
  }
  const ramp = document.createElement("canvas");
  ramp.className = "ramp";
  [ramp.width, ramp.height] = [STEPS, 1];
  const context = ramp.getContext("2d");
  for (let look = 0; look < STEPS; look += 1) {
    context.fillStyle = marks.ramp.colour(look);
    context.fillRect(look, 0, 1, 1);
  }
  const entry = document.createElement("span");
  entry.append(marks.ramp.ends[0], ramp, marks.ramp.ends[1]);
  return [title, entry];
}
