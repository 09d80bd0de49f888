"""A table of results as text, Markdown and CSV."""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import ZooError, require
from zoo.reports.statistics import Interval, format_number

Cell = str | int | float | Interval | None

# What Markdown would read as markup; an underscore within a word it leaves alone.
_MARKUP = re.compile(r"[\\`*<|\[\]]|(?<![^\W_])_|_(?![^\W_])")


@dataclass(frozen=True)
class Table:
    """Named columns, and rows of strings, numbers, intervals or None (nothing to show).

    Lists are kept as tuples, NumPy scalars as Python numbers.

    Raises:
        ZooError: no columns, a row of another length, or a cell of another type.

    >>> print(Table(["model", "accuracy"], [["CNN", 0.91], ["RNN", None]]).text())
    model      accuracy
    -------  ----------
    CNN          0.9100
    RNN               –
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""

    def __post_init__(self) -> None:
        columns = tuple(self.columns)
        if not columns:
            raise ZooError("columns must have at least one name, got none.")
        rows = tuple(tuple(map(_check_cell, row)) for row in self.rows)
        for i, row in enumerate(rows):
            if len(row) != len(columns):
                raise ZooError(
                    f"each row must have one cell for each of the {len(columns)} columns, "
                    f"got {len(row)} cells in row {i}: {row}."
                )
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "rows", rows)

    def text(self) -> str:
        """For a terminal: aligned columns, numbers to the right."""
        return self._render("simple", _one_line(self.title), _one_line)

    def markdown(self) -> str:
        """For GitHub and the like: cells are plain text, what looks like markup is escaped."""
        return self._render("pipe", self.title and f"**{_escape(self.title)}**", _escape)

    def csv(self) -> str:
        """For machines: no title, numbers in full precision, an empty field for None.

        A column `x` with intervals becomes two: `x` with the means and `x ±` with the
        half-widths, empty where there is none.
        """
        split = [any(isinstance(row[i], Interval) for row in self.rows) for i in self._indices]
        lines = [
            [part for i in self._indices for part in _fields(row[i], split[i])] for row in self.rows
        ]
        header = [
            name
            for column, two in zip(self.columns, split, strict=True)
            for name in ((column, f"{column} ±") if two else (column,))
        ]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([header, *lines])
        return out.getvalue()

    @property
    def _indices(self) -> range:
        return range(len(self.columns))

    def _render(self, style: str, title: str, clean: Callable[[str], str]) -> str:
        numeric = [not any(isinstance(row[i], str) for row in self.rows) for i in self._indices]
        body = require("tabulate", "reports").tabulate(
            [[clean(_show(cell)) for cell in row] for row in self.rows],
            headers=list(map(clean, self.columns)),
            tablefmt=style,
            colalign=["right" if number else "left" for number in numeric] if self.rows else None,
            disable_numparse=True,
        )
        return f"{title}\n\n{body}" if title else str(body)


def _check_cell(cell: object) -> Cell:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if cell is None or isinstance(cell, str | int | float | Interval):
        return cell
    raise ZooError(
        f"each cell must be a string, a number, an Interval or None, got {cell!r} "
        f"of type {type(cell).__name__}."
    )


def _show(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, int):
        return f"{cell:,}"
    return format_number(cell) if isinstance(cell, float) else str(cell)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", _one_line(text))


def _fields(cell: Cell, two: bool) -> tuple[Cell, ...]:
    """A cell as one field of a CSV file, or as two: the number and its half-width."""
    if not isinstance(cell, Interval):
        return (cell, None) if two else (cell,)
    return cell.mean, None if math.isnan(cell.half_width) else cell.half_width
