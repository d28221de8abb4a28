// The scatter on a canvas: all points in one pass, the Pareto front over them.

const EDGES = { left: 76, right: 14, top: 12, bottom: 46 }; // CSS pixels around the plot
const SMALL = 7, LARGE = 11; // marks of faded points and of the front, CSS pixels
const REACH = 24; // how far from the pointer a point is found, CSS pixels

class Chart {
  constructor(canvas) {
    this.canvas = canvas;
  }

  /** Draws `points` and the `front` among them; `x` and `y` are axes: column, log, more. */
  draw({ points, front, x, y, marks }) {
    const { canvas } = this;
    const { width, height } = canvas.getBoundingClientRect();
    [canvas.width, canvas.height] = [width, height].map((n) => Math.round(n * devicePixelRatio));
    const context = canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    context.clearRect(0, 0, width, height);
    this.x = scaleOf(x, points, EDGES.left, width - EDGES.right);
    this.y = scaleOf(y, points, height - EDGES.bottom, EDGES.top);
    const [at, drawn] = [new Float32Array(2 * points.length), new Uint32Array(points.length)];
    this.placed = { at, points: drawn, count: 0 };
    if (!this.x || !this.y) return;
    this.#axes(context, width, height, x.column, y.column);

    const on = new Set(front);
    const images = new Map();
    const mark = (i, size) => {
      const place = this.place(x.column.values[i], y.column.values[i]);
      if (!place) return;
      const look = marks.of(i), key = 2 * look + (size === LARGE);
      if (!images.has(key)) images.set(key, marks.image(look, size));
      context.drawImage(images.get(key), place[0] - size / 2, place[1] - size / 2, size, size);
      at.set(place, 2 * this.placed.count);
      drawn[this.placed.count] = i;
      this.placed.count += 1;
    };
    context.globalAlpha = 0.3;
    for (const i of points) if (!on.has(i)) mark(i, SMALL);
    context.globalAlpha = 1;
    this.#line(context, front, x, y);
    for (const i of front) mark(i, LARGE);
  }

  /** Where values are, in CSS pixels of the canvas; null if they have no place. */
  place(a, b) {
    const at = [this.x.place(a), this.y.place(b)];
    return at.includes(null) ? null : at;
  }

  /** The drawn point nearest to a place, those on top first, and how many more are at its own
   * place: [point, more], or null. */
  nearest(px, py) {
    const { at, points, count } = this.placed;
    let best = -1, least = REACH * REACH;
    for (let n = 0; n < count; n += 1) {
      const distance = (at[2 * n] - px) ** 2 + (at[2 * n + 1] - py) ** 2;
      if (distance <= least) [best, least] = [n, distance];
    }
    if (best < 0) return null;
    let more = -1;
    for (let n = 0; n < count; n += 1) {
      more += at[2 * n] === at[2 * best] && at[2 * n + 1] === at[2 * best + 1];
    }
    return [points[best], more];
  }

  #line(context, front, x, y) {
    const [a, b] = [x.column.values, y.column.values];
    const path = front.map((i) => this.place(a[i], b[i])).filter(Boolean);
    context.strokeStyle = styled("--ink");
    context.lineWidth = 1.2;
    context.beginPath();
    path.forEach(([px, py], n) => {
      if (n > 0) context.lineTo(...(x.more ? [path[n - 1][0], py] : [px, path[n - 1][1]]));
      context.lineTo(px, py);
    });
    context.stroke();
  }

  #axes(context, width, height, x, y) {
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 1;
    context.fillStyle = styled("--ink");
    const lines = (values, place) => {
      context.strokeStyle = styled("--line");
      context.beginPath();
      for (const value of values) place(value);
      context.stroke();
    };
    context.textAlign = "center";
    context.textBaseline = "top";
    lines(ticks(this.x, x.bytes, width / 90), (value) => {
      const px = Math.round(this.x.place(value)) + 0.5;
      context.moveTo(px, EDGES.top);
      context.lineTo(px, height - EDGES.bottom);
      context.fillText(short(value, x.bytes), px, height - EDGES.bottom + 5);
    });
    context.fillText(x.label, (EDGES.left + width - EDGES.right) / 2, height - 20);
    context.textAlign = "right";
    context.textBaseline = "middle";
    lines(ticks(this.y, y.bytes, height / 45), (value) => {
      const py = Math.round(this.y.place(value)) + 0.5;
      context.moveTo(EDGES.left, py);
      context.lineTo(width - EDGES.right, py);
      context.fillText(short(value, y.bytes), EDGES.left - 6, py);
    });
    context.save();
    context.translate(12, (EDGES.top + height - EDGES.bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(y.label, 0, 0);
    context.restore();
  }
}

/** The scale of an axis over `points`; null if none has a place on it. */
function scaleOf({ column, log }, points, from, to) {
  let low = Infinity, high = -Infinity;
  for (const i of points) {
    const value = column.values[i];
    if (value < low && (!log || value > 0)) low = value;
    if (value > high) high = value;
  }
  return low <= high ? makeScale(low, high, from, to, log) : null;
}
