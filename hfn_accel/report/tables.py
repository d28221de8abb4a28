"""A table of results: rows of named values, and how they are shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A value's key in a row, its heading with the unit, and its format; None shows as nothing."""

    key: str
    heading: str
    form: str = "{}"

    def cell(self, row: dict) -> str:
        value = row[self.key]
        return "" if value is None else self.form.format(value)


@dataclass(frozen=True)
class Table:
    """`rows` may hold more than the columns show. command: what prints the table again."""

    title: str
    columns: tuple[Column, ...]
    rows: list[dict]
    command: str

    def to_dict(self) -> dict:
        return {"title": self.title, "command": self.command, "rows": self.rows}

    def _cells(self) -> list[list[str]]:
        return [[c.cell(row) for c in self.columns] for row in self.rows]

    def markdown(self) -> str:
        """As in docs/results.md: the table and, below it, its command."""
        lines = [[c.heading for c in self.columns], ["---"] * len(self.columns), *self._cells()]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{self.title}\n\n{text}\n\n(`{self.command}`)\n"

    def text(self) -> str:
        """For a terminal: text to the left, numbers to the right."""
        cells = [[c.heading for c in self.columns], *self._cells()]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        left = [isinstance(self.rows[0][c.key], str) for c in self.columns]

        def line(row):
            parts = zip(row, widths, left, strict=True)
            return "  ".join(v.ljust(w) if text else v.rjust(w) for v, w, text in parts).rstrip()

        return "\n".join([self.title, "", *map(line, cells)])
