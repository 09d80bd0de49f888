"""Embeddings and masks as spreadsheet formulas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo import layers
from zoo.explain.formulas import Writer
from zoo.explain.sheets import Page, Place, Shape, Tensor


def _write_embedding(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "y(t) = the row of the table that x(t) names"
    table = _table(page, layer)

    def formula(*i: int) -> str:
        return f"INDEX({table.whole},{xs[0].at(*i[:-1])}+1,{i[-1] + 1})"

    return page.output(shape, formula)


def _write_embedding_mask(page: Page, _: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "1 where there is a word; 0 where the id is 0, which is padding"
    return page.output(shape, lambda t: f"IF({xs[0].at(t)}=0,0,1)")


def _write_embedding_bag(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = (
        "y = Σ (how often x names it) · row of the table / √(how many x are not 0); row 0 is "
        "padding and never counts"
    )
    table = _table(page, layer)

    def formula(*i: int) -> str:
        bag, rows = xs[0].last_axis(*i[:-1]), table.area(0, i[-1], table.height, 1)
        number = f"(ROW({rows})-ROW({table.cell(0, i[-1])}))"
        total = f"SUMPRODUCT(COUNTIF({bag},{number})*({number}>0)*{rows})"
        return f'{total}/SQRT(MAX(1,COUNTIF({bag},"<>0")))'

    return page.output(shape, formula)


def _write_embedding_bag_mask(page: Page, _: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "1 where a bag has any id; 0 where all its ids are 0, which is padding"
    return page.output(shape, lambda t: f'MIN(1,COUNTIF({xs[0].last_axis(t)},"<>0"))')


def _write_masking(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = f"y(t) = x(t), or zeros where all of x(t) is {layer.mask_value}"
    return page.output(shape, lambda t, c: f"{_differs(layer, xs[0], t)}*{xs[0].at(t, c)}")


def _write_masking_mask(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = f"1 where there is something; 0 where all of x(t) is {layer.mask_value}"
    return page.output(shape, lambda t: _differs(layer, xs[0], t))


def _differs(layer: Any, x: Tensor, t: int) -> str:
    """1 where a step has any other value than the masked one, else 0."""
    value = float(np.float32(layer.mask_value))  # as JAX compares it
    return f"MIN(1,SUMPRODUCT(--({x.last_axis(t)}<>{value})))"


def _table(page: Page, layer: Any) -> Place:
    rows, columns = layer.embeddings.shape
    ids, dims = [f"id {i}" for i in range(rows)], [f"dim {i}" for i in range(columns)]
    return page.weight("embeddings", layer.embeddings[...], ids, dims)


EMBEDDINGS: Mapping[type[layers.Layer], Writer] = {
    layers.Embedding: _write_embedding,
    layers.EmbeddingBag: _write_embedding_bag,
    layers.Masking: _write_masking,
}

# Of layers that say which steps are there.
MASKS: Mapping[type[layers.Layer], Writer] = {
    layers.Embedding: _write_embedding_mask,
    layers.EmbeddingBag: _write_embedding_bag_mask,
    layers.Masking: _write_masking_mask,
}
