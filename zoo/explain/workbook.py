"""A model's whole calculation for one example as a spreadsheet of live formulas."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.errors import ZooError, check_positive, require
from zoo.explain.convolution_formulas import CONVOLUTIONS
from zoo.explain.embedding_formulas import EMBEDDINGS, MASKS
from zoo.explain.formulas import BASIC, Writer
from zoo.explain.layer_outputs import LayerOutput, call_names, outputs_of, recorded_calls
from zoo.explain.recurrent_formulas import RECURRENT
from zoo.explain.sheets import LONGEST_NAME, Page, Tensor
from zoo.explain.summary import count_parameters
from zoo.explain.workbook_file import OVERVIEW, Row, write_workbook
from zoo.layers import Layer, Softmax

WRITERS: Mapping[type[Layer], Writer] = {**BASIC, **CONVOLUTIONS, **EMBEDDINGS, **RECURRENT}
METHODS = ("__call__", "compute_mask")  # of layers: what has a sheet
MAX_CELLS = 1_000_000
INPUT, PROBABILITIES = "input", "softmax"


class _Plan(NamedTuple):
    """Every sheet, and which array of the model's is on which."""

    pages: list[Page]
    rows: list[Row]
    logits: Tensor


def workbook(
    model: nnx.Module,
    x: Any,
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    max_cells: int = MAX_CELLS,
) -> None:
    """Writes what a model computes for one example as an `.xlsx` file of formulas.

    Each layer has a sheet with its weights, a formula for every number that it computes, and
    what JAX computed beside it; a softmax of the logits is the last one. The sheet `overview`
    has the architecture with links, and how far sheet and JAX are apart. Change a pixel or a
    weight, and everything behind it is calculated again.

    A layer that is called twice has two sheets, each with its weights. A mask of padding has a
    sheet of its own, which the recurrent layers look at.

    Numbers on sheets have 64 bits, JAX's here 32: they agree to about six digits. No results of
    formulas are stored; Excel and LibreOffice calculate them when they open the file.

    Args:
        model: any module made of layers that `zoo.explain.workbook` has formulas for, with all
            its arithmetic in layers; in evaluation mode, whatever its own.
        x: a batch of one example, as the model takes it.
        path: must end in `.xlsx`.
        classes: names of the classes, for the overview.
        max_cells: refuse a workbook with more cells than this.

    Raises:
        MissingExtraError: XlsxWriter is not installed (the extra `workbook`).
        ZooError: the workbook would have too many cells (the message has the number), or the
            model has layers or arithmetic that there are no formulas for.
    """
    path = Path(path)
    if path.suffix != ".xlsx":
        raise ZooError(f"path must end in .xlsx, got {os.fspath(path)!r}.")
    check_positive(max_cells=max_cells)
    require("xlsxwriter", "workbook")
    x = jnp.asarray(x)
    if x.ndim < 2 or x.shape[0] != 1:
        raise ZooError(f"x must be a batch of one example, got shape {x.shape}.")
    plan = _plan(model, x)
    cells = sum(page.cells for page in plan.pages)
    if cells > max_cells:
        raise ZooError(
            f"a workbook of {type(model).__name__} for an example of shape {x.shape[1:]} would "
            f"have {cells:,} cells, more than {max_cells:,}: take a smaller model or input, or "
            "raise max_cells."
        )
    for page in plan.pages:
        page.lay_out()
    if classes is not None and len(classes) != plan.logits.shape[-1]:
        raise ZooError(
            f"classes must be {plan.logits.shape[-1]} names, one for each logit, got "
            f"{len(classes)}."
        )
    first, *of_layers, last = plan.pages
    first.fill("input", np.asarray(x)[0])
    found = outputs_of(model, x, METHODS)
    outputs = dict(zip((page.name for page in of_layers), found.values(), strict=True))
    for page in of_layers:
        page.fill("jax", outputs[page.name][0])
    logits = jnp.asarray(outputs[plan.logits.place.sheet])
    last.fill("jax", np.asarray(jax.nn.softmax(logits))[0])
    write_workbook(path, type(model).__name__, plan.pages, plan.rows, plan.logits, classes)


def _plan(model: nnx.Module, x: jax.Array) -> _Plan:
    """The sheets of a model; of the example only the shape is looked at."""
    model = nnx.clone(model)
    model.eval()
    seen: list[tuple[Any, list[LayerOutput], Any]] = []

    def run(x: jax.Array) -> None:
        with recorded_calls(model, METHODS) as calls:
            result = model(x)
        seen.append((x, calls, result))

    jax.eval_shape(run, jax.ShapeDtypeStruct(x.shape, x.dtype))
    ((x_seen, calls, result),) = seen
    return _Planner(type(model).__name__, x_seen).plan(calls, result)


class _Planner:
    """Walks over the calls of layers and puts each on a page.

    Values are known by identity: what one layer returned and another takes is one object.
    """

    def __init__(self, model: str, x: Any):
        self._model = model
        page = Page(INPUT, "the example", "Change a number here and see what becomes of it.")
        shape = x.shape[1:]
        self._pages = [page]
        self._rows: list[Row] = []
        self._names = {OVERVIEW, INPUT, PROBABILITIES}
        place = page.numbers("input", "input", shape, "input")
        self._known: dict[int, tuple[Any, Tensor]] = {id(x): (x, place)}
        self._counted: set[int] = set()

    def plan(self, calls: list[LayerOutput], result: Any) -> _Plan:
        unknown = sorted({type(call.layer).__name__ for call in calls} - _NAMES)
        if unknown:
            raise ZooError(
                f"a workbook has no formulas for {', '.join(unknown)}, which {self._model} has; it "
                f"has for {', '.join(sorted(_NAMES))}."
            )
        for name, call in zip(call_names(calls), calls, strict=True):
            self._add(name, call)
        logits = self._tensor(result, "the model's result")
        probabilities = self._page(PROBABILITIES, "softmax of the logits", (logits,))
        softmax = WRITERS[Softmax](probabilities, Softmax(), [logits], logits.shape)
        self._finish(probabilities, softmax, "Softmax", 0)
        return _Plan(self._pages, self._rows, logits)

    def _add(self, name: str, call: LayerOutput) -> None:
        keywords = {key: value for key, value in call.keywords if value is not None}
        masks = (
            [keywords.pop("mask")] if type(call.layer) in RECURRENT and "mask" in keywords else []
        )
        if keywords:
            raise ZooError(
                f"a workbook has no formulas for {', '.join(keywords)}, which {name} of "
                f"{self._model} is called with."
            )
        given = call.arguments[0]
        values = given if isinstance(given, list | tuple) else [given]
        xs = [self._tensor(value, name) for value in (*values, *masks)]
        if not hasattr(call.output, "shape"):
            raise ZooError(f"{name} must return one array for a sheet, got several.")
        writers, kind = WRITERS, type(call.layer).__name__
        if call.method == "compute_mask":
            writers, kind = MASKS, f"mask of {kind}"
        page = self._page(self._sheet_name(name), f"{name}: {kind}", xs)
        try:
            tensor = writers[type(call.layer)](page, call.layer, xs, call.output.shape[1:])
        except ZooError as error:
            raise ZooError(f"{name} of {self._model}: {error}") from error
        counted = call.method == "compute_mask" or id(call.layer) in self._counted
        if not counted:
            self._counted.add(id(call.layer))
        self._finish(page, tensor, kind, 0 if counted else count_parameters(call.layer))
        self._known[id(call.output)] = (call.output, tensor)

    def _finish(self, page: Page, tensor: Tensor, kind: str, parameters: int) -> None:
        jax_ = page.numbers("jax", "jax", tensor.shape, "the same from JAX, for the first input")
        self._rows.append(Row(page, kind, tensor, jax_, parameters))

    def _page(self, name: str, title: str, inputs: Sequence[Tensor]) -> Page:
        page = Page(name, title, inputs=tuple(inputs))
        self._pages.append(page)
        return page

    def _tensor(self, value: Any, place: str) -> Tensor:
        if id(value) not in self._known:
            raise ZooError(
                f"{self._model} computes outside its layers what meets {place}, so there is no "
                "formula for it: let a layer do it (Reshape, Concatenate, Add, …)."
            )
        return self._known[id(value)][1]

    def _sheet_name(self, name: str) -> str:
        """A name that a spreadsheet allows, and no other sheet has."""
        plain = "".join("-" if character in "[]:*?/\\'" else character for character in name)
        short, number = plain[-LONGEST_NAME:], 1
        while short.lower() in self._names:
            number += 1
            end = f"~{number}"
            short = plain[-LONGEST_NAME + len(end) :] + end
        self._names.add(short.lower())
        return short


_NAMES = {kind.__name__ for kind in WRITERS}
