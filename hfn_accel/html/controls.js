// The controls: axes, colour and filters, as ordinary form elements.

/** An element with properties and children; children that are text stay text. */
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A labelled choice: `options` are [value, text]. */
function choice(text, options, changed) {
  const select = element("select", { ariaLabel: text, title: text });
  for (const [value, shown] of options) select.append(element("option", { value }, shown));
  select.addEventListener("change", changed);
  return select;
}

/** The controls of an axis, in a fieldset; `axis` is what they say: column, log, more. */
class AxisControl {
  constructor(fieldset, columns, name, points, changed) {
    this.columns = columns;
    this.points = points;
    this.column = choice("column", columns.map((c) => [c.name, c.label]), () => {
      this.#defaults();
      changed();
    });
    this.scale = choice("scale", [["linear", "linear"], ["log", "logarithmic"]], changed);
    const better = [["less", "less is better"], ["more", "more is better"]];
    this.better = choice("better", better, changed);
    fieldset.append(this.column, this.scale, this.better);
    this.column.value = name;
    this.#defaults();
  }

  get axis() {
    const column = this.columns.find(({ name }) => name === this.column.value);
    return { column, log: this.scale.value === "log", more: this.better.value === "more" };
  }

  /** Logarithmic where the values are positive and span more than a factor of 20. */
  #defaults() {
    const { column } = this.axis;
    let low = Infinity, high = -Infinity;
    for (const i of this.points) {
      low = Math.min(low, Number.isNaN(column.values[i]) ? Infinity : column.values[i]);
      high = Math.max(high, Number.isNaN(column.values[i]) ? -Infinity : column.values[i]);
    }
    this.scale.value = low > 0 && high > 20 * low ? "log" : "linear";
    this.better.value = column.more ? "more" : "less";
  }
}

/** Filters that can be added and removed; `filters` is what they say, for `passes`. */
class FilterControl {
  constructor(fieldset, columns, changed) {
    this.parts = [];
    const add = choice("add a filter", [["", "add a filter …"],
      ...columns.map((c) => [c.name, c.label])], () => {
      const column = columns.find(({ name }) => name === add.value);
      add.value = "";
      if (column) this.#add(fieldset, column, changed);
    });
    fieldset.append(add);
  }

  get filters() {
    return this.parts.map((part) => part.read());
  }

  #add(fieldset, column, changed) {
    const box = element("div", { className: "filter" }, `${column.label} `);
    const part = column.texts ? chosenTexts(box, column, changed) : range(box, column, changed);
    const remove = element("button", { type: "button" }, "remove");
    remove.ariaLabel = `remove the filter of ${column.label}`;
    remove.addEventListener("click", () => {
      this.parts = this.parts.filter((other) => other !== part);
      box.remove();
      fieldset.querySelector("select").focus();
      changed();
    });
    box.append(remove);
    fieldset.append(box);
    this.parts.push(part);
    box.querySelector("input").focus();
  }
}

function range(box, column, changed) {
  const limits = [["from", -Infinity], ["to", Infinity]].map(([text, none]) => {
    const input = element("input", { type: "number", step: "any", placeholder: text });
    input.ariaLabel = `${column.label} ${text}`;
    input.addEventListener("change", changed);
    box.append(input, " ");
    return () => (input.value === "" ? none : Number(input.value));
  });
  return { read: () => ({ column, low: limits[0](), high: limits[1]() }) };
}

function chosenTexts(box, column, changed) {
  const inputs = column.texts.map((text) => {
    const input = element("input", { type: "checkbox", checked: true });
    input.addEventListener("change", changed);
    box.append(element("label", {}, input, ` ${text || "–"}`));
    return input;
  });
  const chosen = () => new Set(inputs.flatMap((input, n) => (input.checked ? [n] : [])));
  return { read: () => ({ column, chosen: chosen() }) };
}
