// The table behind the picture: only the rows in sight exist.

const SPARE = 10; // rows beyond the edges

class Table {
  /** `chosen(i)` is called with the point of a row that is clicked or reached by arrow keys. */
  constructor(panel, chosen) {
    this.panel = panel;
    this.chosen = chosen;
    [this.head, this.body] = [panel.querySelector("thead"), panel.querySelector("tbody")];
    this.points = [];
    this.order = { name: null, falling: false };
    this.selected = null;
    panel.addEventListener("scroll", () => this.#rows());
    panel.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#rows()).observe(panel);
  }

  /** Shows `points` under `columns`, in the order that was chosen before. */
  show(columns, points) {
    this.columns = columns;
    this.points = points;
    this.#sort();
    this.#heads();
    this.#rows();
  }

  /** Marks the row of a point, and brings it into sight if asked. */
  select(point, seen) {
    this.selected = point;
    const n = seen ? this.points.indexOf(point) : -1;
    const height = this.#height(), inside = this.panel.clientHeight - this.head.offsetHeight;
    const top = n * height, above = this.panel.scrollTop;
    const hidden = top < above || top + height > above + inside;
    if (n >= 0 && hidden) this.panel.scrollTop = top - inside / 2;
    for (const row of this.body.rows) row.ariaSelected = row.dataset.point === String(point);
  }

  #sort() {
    const column = this.columns.find(({ name }) => name === this.order.name);
    if (!column) return;
    const sign = this.order.falling ? -1 : 1;
    const { values } = column; // of text the index, which is in order too
    this.points = this.points.toSorted((i, j) => {
      const [a, b] = [values[i], values[j]];
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b) || i - j;
      return sign * (a - b) || i - j;
    });
  }

  #heads() {
    const row = document.createElement("tr");
    for (const column of this.columns) {
      const head = document.createElement("th");
      head.scope = "col";
      const mine = column.name === this.order.name;
      head.ariaSort = mine ? (this.order.falling ? "descending" : "ascending") : "none";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = column.label;
      button.addEventListener("click", () => {
        this.order = { name: column.name, falling: mine && !this.order.falling };
        this.show(this.columns, this.points);
        this.head.querySelectorAll("button")[this.columns.indexOf(column)].focus();
      });
      head.append(button);
      row.append(head);
    }
    this.head.replaceChildren(row);
  }

  #height() {
    return this.body.querySelector("tr:not(.space)")?.getBoundingClientRect().height || 23;
  }

  #rows() {
    const height = this.#height();
    const sight = Math.ceil(this.panel.clientHeight / height) + 2 * SPARE;
    const first = Math.max(0, Math.floor(this.panel.scrollTop / height) - SPARE);
    const shown = this.points.slice(first, first + sight);
    const after = this.points.length - first - shown.length;
    this.body.replaceChildren(
      space(first * height), ...shown.map((i) => this.#row(i)), space(Math.max(0, after) * height));
  }

  #row(i) {
    const row = document.createElement("tr");
    row.dataset.point = i;
    row.ariaSelected = i === this.selected;
    for (const column of this.columns) {
      const cell = row.insertCell();
      if (!column.texts) cell.className = "number";
      cell.textContent = show(column, i);
    }
    row.addEventListener("click", () => this.chosen(i));
    return row;
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target !== this.panel) return;
    event.preventDefault();
    const n = this.points.indexOf(this.selected) + step;
    if (n < 0 || n >= this.points.length) return;
    this.chosen(this.points[n]);
  }
}

/** A row that stands for those out of sight. */
function space(height) {
  const row = document.createElement("tr");
  row.className = "space";
  row.style.setProperty("--space", `${height}px`);
  row.ariaHidden = true;
  row.insertCell();
  return row;
}
