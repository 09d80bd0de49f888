"""What a sheet of a workbook is made of, before there is a file: places for numbers and formulas.

Arrays of one example lie on a sheet so that what is multiplied and summed is a rectangle:

- a vector `[n]` goes down a column;
- a sequence `[T, D]` has a column for each step;
- an image `[H, W, C]` has a row for each of its rows, and in it the channels of one pixel after
  those of the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from zoo.errors import ZooError

Shape = tuple[int, ...]
Kind = Literal["input", "inner", "output", "weight", "jax"]
# Rows above the blocks: title, meaning, inputs, difference, a free one.
HEADER_ROWS = 5
MOST_ROWS, MOST_COLUMNS, LONGEST_FORMULA, LONGEST_NAME = 1_048_576, 16_384, 8_192, 31


def column_name(column: int) -> str:
    """A column as spreadsheets call it.

    >>> [column_name(i) for i in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


@dataclass(eq=False)
class Place:
    """A rectangle of cells; `top` is known once its page is laid out."""

    sheet: str
    height: int
    width: int
    top: int = -1
    left: int = 1  # column A has the names of the rows

    def cell(self, row: int, column: int) -> str:
        """The reference of one cell."""
        return f"'{self.sheet}'!{column_name(self.left + column)}{self.top + row + 1}"

    def area(self, row: int, column: int, height: int, width: int) -> str:
        """The reference of a rectangle in it."""
        last = f"{column_name(self.left + column + width - 1)}{self.top + row + height}"
        return f"{self.cell(row, column)}:{last}"

    @property
    def whole(self) -> str:
        """The reference of all of it."""
        return self.area(0, 0, self.height, self.width)


def size_of(shape: Shape) -> tuple[int, int]:
    """Rows and columns of an array of one example.

    Raises:
        ZooError: it has more than three axes.
    """
    if len(shape) not in (1, 2, 3):
        raise ZooError(
            f"an array of one example must have one to three axes for a sheet, got shape {shape}."
        )
    if len(shape) == 2:
        return shape[1], shape[0]
    return shape[0], prod(shape[1:])


def as_table(values: np.ndarray) -> np.ndarray:
    """An array of one example as it lies on a sheet."""
    return values.T if values.ndim == 2 else values.reshape(size_of(values.shape))


@dataclass(frozen=True)
class Tensor:
    """An array of one example, and where it lies."""

    place: Place
    shape: Shape

    def at(self, *index: int) -> str:
        """The reference of one number."""
        return self.place.cell(*_cell_of(self.shape, index))

    def last_axis(self, *index: int) -> str:
        """The reference of all numbers along the last axis; `index` is of the others."""
        row, column = _cell_of(self.shape, (*index, 0))
        size = self.shape[-1]
        return self.place.area(row, column, *((1, size) if len(self.shape) == 3 else (size, 1)))


def _cell_of(shape: Shape, index: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) == 1:
        return index[0], 0
    if len(shape) == 2:
        return index[1], index[0]
    return index[0], index[1] * shape[2] + index[2]


def indices(shape: Shape) -> Iterator[tuple[int, ...]]:
    """All indices of an array in row order."""
    return product(*map(range, shape))


@dataclass(eq=False)
class Block:
    """A rectangle with a caption and names of its rows and columns.

    `content(row, column)` is a number, or a formula without its equals sign.
    """

    kind: Kind
    name: str
    caption: str
    place: Place
    rows: Sequence[str]
    columns: Sequence[str]
    content: Callable[[int, int], float | str]


@dataclass(eq=False)
class Page:
    """One sheet: a layer's output, what comes before it, and its weights."""

    name: str
    title: str
    meaning: str = ""
    inputs: tuple[Tensor, ...] = ()
    blocks: list[Block] = field(default_factory=list)

    def weight(
        self, name: str, values: np.ndarray, rows: Sequence[str], columns: Sequence[str]
    ) -> Place:
        """Numbers `[rows, columns]` that may be changed."""
        table = np.asarray(values, np.float64).reshape(len(rows), len(columns))
        return self._add("weight", name, name, rows, columns, lambda r, c: float(table[r, c]))

    def vector(self, name: str, values: np.ndarray, columns: Sequence[str]) -> Place:
        """One row of numbers that may be changed."""
        return self.weight(name, values, [name], columns)

    def formulas(
        self, kind: Kind, name: str, shape: Shape, formula: Callable[..., str], caption: str = ""
    ) -> Tensor:
        """An array of one example, `formula(*index)` for each of its numbers."""
        height, width = size_of(shape)
        index = {_cell_of(shape, i): i for i in indices(shape)}
        rows, columns = labels(shape)
        place = self._add(
            kind, name, caption or name, rows, columns, lambda r, c: formula(*index[r, c])
        )
        assert (place.height, place.width) == (height, width)
        return Tensor(place, shape)

    def output(self, shape: Shape, formula: Callable[..., str]) -> Tensor:
        """What the layer returns."""
        return self.formulas("output", "output", shape, formula)

    def numbers(self, kind: Kind, name: str, shape: Shape, caption: str) -> Tensor:
        """An array of one example, to be filled in when it is known: see `fill`."""
        rows, columns = labels(shape)
        return Tensor(self._add(kind, name, caption, rows, columns, _not_filled), shape)

    def fill(self, name: str, values: np.ndarray) -> None:
        """Puts the numbers of an array of one example into a place that `numbers` gave."""
        table = as_table(np.asarray(values, np.float64))
        block = next(block for block in self.blocks if block.name == name)
        block.content = lambda r, c: float(table[r, c])

    def _add(
        self,
        kind: Kind,
        name: str,
        caption: str,
        rows: Sequence[str],
        columns: Sequence[str],
        content: Callable[[int, int], float | str],
    ) -> Place:
        place = Place(self.name, len(rows), len(columns))
        self.blocks.append(Block(kind, name, caption, place, rows, columns, content))
        return place

    def lay_out(self) -> None:
        """Gives each block its place, one below the other: the output and what leads to it first.

        Raises:
            ZooError: the page is higher or wider than a sheet can be.
        """
        order = ("input", "inner", "output", "weight", "jax")
        self.blocks.sort(key=lambda block: order.index(block.kind))
        row = HEADER_ROWS
        for block in self.blocks:
            block.place.top = row + 2  # below the caption and the names of the columns
            row = block.place.top + block.place.height + 1
            if row > MOST_ROWS or block.place.width >= MOST_COLUMNS:
                raise ZooError(
                    f"a sheet has room for {MOST_ROWS:,} × {MOST_COLUMNS:,} cells, and {self.name} "
                    f"needs {block.place.height:,} × {block.place.width:,} for its {block.name}: "
                    "take a smaller model or a smaller input."
                )

    @property
    def cells(self) -> int:
        """How many cells its blocks have."""
        return sum(block.place.height * block.place.width for block in self.blocks)


def _not_filled(row: int, column: int) -> float:
    raise AssertionError(f"nothing was filled in at {row}, {column}")


def labels(shape: Shape) -> tuple[list[str], list[str]]:
    """Names of the rows and of the columns of an array of one example."""
    if len(shape) == 1:
        return [f"{i}" for i in range(shape[0])], [""]
    if len(shape) == 2:
        return [f"{d}" for d in range(shape[1])], [f"step {t}" for t in range(shape[0])]
    size_of(shape)
    return [f"y {i}" for i in range(shape[0])], pixel_labels(shape[1], shape[2])


def pixel_labels(width: int, channels: int) -> list[str]:
    """Names of columns that have the channels of one pixel after those of the other."""
    return [f"x {j} c {c}" for j in range(width) for c in range(channels)]
