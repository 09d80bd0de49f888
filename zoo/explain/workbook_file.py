"""Planned sheets into an `.xlsx` file: colours, names, links, and the overview."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zoo.errors import ZooError, cannot_be_written, require
from zoo.explain.sheets import HEADER_ROWS, LONGEST_FORMULA, Block, Page, Tensor

OVERVIEW = "overview"
# One colour for each kind of block, told apart in print and with every kind of colour blindness.
_COLOURS = {
    "input": "#DDEBF7",
    "inner": "#EDEDED",
    "output": "#FFF2CC",
    "weight": "#E2EFDA",
    "jax": "#FFFFFF",
}
_LEGEND = {
    "input": "an input: change it",
    "weight": "a weight: change it",
    "inner": "a formula on the way",
    "output": "a formula, what the layer returns",
    "jax": "what JAX computed, as numbers",
}
_MEANING_ROW, _INPUTS_ROW, _DIFFERENCE_ROW = 1, 2, 3


class Row(NamedTuple):
    """A line of the overview: a layer's page, class, output, the same from JAX, its weights."""

    page: Page
    kind: str
    output: Tensor
    jax: Tensor
    parameters: int


def write_workbook(
    path: Path,
    model: str,
    pages: Sequence[Page],
    rows: Sequence[Row],
    logits: Tensor,
    classes: Sequence[str] | None,
) -> None:
    """Writes all sheets; the file takes its name once it is whole."""
    xlsxwriter = require("xlsxwriter", "workbook")
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".xlsx")
    except OSError as error:
        raise cannot_be_written(path, error) from error
    os.close(handle)
    try:
        book = xlsxwriter.Workbook(scratch)
        file = _File(book)
        file.overview(model, rows, logits, classes)
        by_page = {row.page.name: row for row in rows}
        for page in pages:
            file.page(page, by_page.get(page.name))
        book.close()
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)


class _File:
    def __init__(self, book: Any):
        self._book = book
        self._named: set[str] = set()
        numbers = {"num_format": "0.0000", "font_size": 9}
        self._cells = {
            kind: book.add_format({**numbers, "bg_color": colour, "border": 4})
            for kind, colour in _COLOURS.items()
        }
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._words = book.add_format({"italic": True})
        self._bold = book.add_format({"bold": True})
        self._legend = {
            kind: book.add_format({"bg_color": colour, "border": 4, "text_wrap": True})
            for kind, colour in _COLOURS.items()
        }
        self._indented = book.add_format({"indent": 1})
        self._centred = book.add_format({"align": "center"})
        head = {"bold": True, "bg_color": "#44546A", "font_color": "white"}
        self._head = book.add_format({**head, "text_wrap": True, "valign": "top"})
        self._caption = book.add_format(head)
        self._label = book.add_format({"font_color": "#7F7F7F", "font_size": 8})
        self._small = book.add_format({"num_format": "0.0E+00"})
        self._number = book.add_format({"num_format": "0.000000"})
        self._count = book.add_format({"num_format": "#,##0"})
        self._link = book.get_default_url_format()

    def overview(
        self, model: str, rows: Sequence[Row], logits: Tensor, classes: Sequence[str] | None
    ) -> None:
        """The first sheet."""
        sheet = self._book.add_worksheet(OVERVIEW)
        for column, width in enumerate((5, 30, 22, 18, 18, 18, 45, 100)):
            sheet.set_column(column, column, width, self._centred if column == 0 else None)
        _fit_to_paper(sheet)
        sheet.write(0, 0, f"{model}, calculated by formulas", self._title)
        sheet.write(
            1,
            0,
            "Each layer has a sheet. Change a pixel on the sheet “input”, or any weight, and all "
            "that depends on it is calculated anew; the numbers from JAX stay those of the first "
            "input.",
            self._words,
        )
        sheet.set_row(2, 32)
        for i, (kind, words) in enumerate(_LEGEND.items()):
            sheet.write(2, 1 + i, words, self._legend[kind])
        head = ("#", "layer", "class", "output", "parameters", "largest difference from JAX")
        top = 4
        sheet.set_row(top, 32)
        for column, words in enumerate((*head, "x comes from", "what it computes")):
            sheet.write(top, column, words, self._head)
        sheet.freeze_panes(top + 1, 2)
        sheet.write(top + 1, 0, 0)
        sheet.write_url(top + 1, 1, "internal:'input'!A1", self._link, "input")
        for i, row in enumerate(rows, 1):
            line = top + 1 + i
            sheet.write(line, 0, i)
            sheet.write_url(line, 1, f"internal:'{row.page.name}'!A1", self._link, row.page.name)
            sheet.write(line, 2, row.kind)
            sheet.write(line, 3, str(row.output.shape))
            sheet.write(line, 4, row.parameters, self._count)
            self._formula(sheet, line, 5, f"'{row.page.name}'!B{_DIFFERENCE_ROW + 1}", self._small)
            sources = ", ".join(source.place.sheet for source in row.page.inputs)
            sheet.write(line, 6, sources, self._indented)
            sheet.write(line, 7, row.page.meaning, self._indented)
        if len(logits.shape) == 1:
            self._results(sheet, top + len(rows) + 4, rows, logits, classes)

    def _results(
        self,
        sheet: Any,
        top: int,
        rows: Sequence[Row],
        logits: Tensor,
        classes: Sequence[str] | None,
    ) -> None:
        """The model's result, here and in JAX, class by class."""
        of_logits = next(row for row in rows if row.output is logits)
        of_softmax = rows[-1]
        head = ("#", "class", "logit, sheet", "logit, JAX", "difference", "probability, sheet")
        for column, words in enumerate((*head, "probability, JAX")):
            sheet.write(top, column, words, self._head)
        for i in range(logits.shape[0]):
            line = top + 1 + i
            sheet.write(line, 0, i)
            sheet.write(line, 1, classes[i] if classes else f"class {i}")
            ours, jax = of_logits.output.at(i), of_logits.jax.at(i)
            self._formula(sheet, line, 2, ours, self._number)
            self._formula(sheet, line, 3, jax, self._number)
            self._formula(sheet, line, 4, f"{ours}-{jax}", self._small)
            self._formula(sheet, line, 5, of_softmax.output.at(i), self._number)
            self._formula(sheet, line, 6, of_softmax.jax.at(i), self._number)

    def page(self, page: Page, row: Row | None) -> None:
        """The sheet of one layer, or of the input."""
        sheet = self._book.add_worksheet(page.name)
        sheet.set_column(0, 0, 22)
        sheet.set_column(1, 16_383, 9)
        _fit_to_paper(sheet)
        sheet.freeze_panes(HEADER_ROWS, 1)
        sheet.write(0, 0, page.title, self._title)
        sheet.write_url(0, 8, f"internal:'{OVERVIEW}'!A1", self._link, "to the overview")
        sheet.write(_MEANING_ROW, 0, page.meaning, self._words)
        for i, source in enumerate(page.inputs):
            name = source.place.sheet
            sheet.write(_INPUTS_ROW, 0, "x comes from", self._bold)
            sheet.write_url(_INPUTS_ROW, 1 + 2 * i, f"internal:'{name}'!A1", self._link, name)
        if row is not None:
            ours, jax = row.output.place.whole, row.jax.place.whole
            sheet.write(_DIFFERENCE_ROW, 0, "difference from JAX", self._bold)
            self._formula(
                sheet, _DIFFERENCE_ROW, 1, f"SUMPRODUCT(MAX(ABS({ours}-{jax})))", self._small
            )
        for block in page.blocks:
            self._block(sheet, page, block)

    def _block(self, sheet: Any, page: Page, block: Block) -> None:
        place, cell = block.place, self._cells[block.kind]
        words = f"{block.caption}   ({place.height} × {place.width})"
        sheet.write(place.top - 2, 0, words, self._caption)
        for column in range(min(max(place.width, 5), 8)):  # captions may be long
            sheet.write_blank(place.top - 2, place.left + column, None, self._caption)
        for column, words in enumerate(block.columns):
            sheet.write(place.top - 1, place.left + column, words, self._label)
        for r, words in enumerate(block.rows):
            sheet.write(place.top + r, 0, words, self._label)
            for c in range(place.width):
                content = block.content(r, c)
                if isinstance(content, str):
                    here = content.replace(f"'{page.name}'!", "")
                    self._formula(sheet, place.top + r, place.left + c, here, cell)
                else:
                    _number(sheet, place.top + r, place.left + c, content, cell, page.name)
        name = range_name(page.name, block.name)
        while name.lower() in self._named:
            name += "_"
        self._named.add(name.lower())
        self._book.define_name(name, f"={_absolute(place.whole)}")

    def _formula(self, sheet: Any, row: int, column: int, formula: str, cell: Any) -> None:
        if len(formula) >= LONGEST_FORMULA:
            raise ZooError(
                f"a formula of {sheet.name} has {len(formula):,} characters, more than the "
                f"{LONGEST_FORMULA:,} that spreadsheets take: take a smaller model or input."
            )
        # Without a stored result, every program has to calculate it.
        sheet.write_formula(row, column, f"={formula}", cell, "")


def _fit_to_paper(sheet: Any) -> None:
    """When printed: across, and as wide as one page."""
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def range_name(page: str, block: str) -> str:
    """What formulas may call a block: `conv2d_kernel`, `lstm_h`.

    >>> range_name("mixed0.conv", "output"), range_name("0.dense", "bias")
    ('mixed0_conv_output', '_0_dense_bias')
    """
    name = re.sub(r"\W", "_", f"{page}_{block}")
    return name if name[0].isalpha() else f"_{name}"


def _number(sheet: Any, row: int, column: int, value: float, cell: Any, page: str) -> None:
    if value - value != 0:
        raise ZooError(f"a sheet holds finite numbers only, got {value} for {page}.")
    sheet.write_number(row, column, value, cell)


def _absolute(area: str) -> str:
    """`'s'!A1:B2` as `'s'!$A$1:$B$2`."""
    sheet, _, cells = area.rpartition("!")
    fixed = re.sub(r"([A-Z]+)([0-9]+)", r"$\1$\2", cells)
    return f"{sheet}!{fixed}"
