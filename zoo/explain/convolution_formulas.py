"""Convolution and pooling as spreadsheet formulas."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo import layers
from zoo.explain.formulas import Writer, activated, bias_term, plus
from zoo.explain.sheets import Page, Shape, Tensor


def first_pixel(size: int, span: int, stride: int, padding: str) -> int:
    """Where the first window begins: 0, or above it by TensorFlow's rule for "same".

    >>> first_pixel(5, 3, 1, "same"), first_pixel(4, 3, 2, "same"), first_pixel(5, 3, 2, "valid")
    (-1, 0, 0)
    """
    if padding == "valid":
        return 0
    return -(max((-(-size // stride) - 1) * stride + span - size, 0) // 2)


def _window(start: int, count: int, step: int, size: int) -> list[tuple[int, int]]:
    """(place in the window, place in the image) of what of a window is in the image."""
    return [(u, start + u * step) for u in range(count) if 0 <= start + u * step < size]


def _write_conv2d(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    (x,), params = xs, layer.params
    kernel_values = np.asarray(params.kernel)
    height, width, channels, filters = kernel_values.shape
    (down, right), (rows_step, columns_step) = layer.strides, layer.dilation_rate
    page.meaning = (
        f"y(i, j, o) = {bias_term(params)}Σ x(s·i + u − p, s·j + v − p, c) · kernel(o, u, v, c); "
        f"strides s {down} and {right}, padding {layer.padding}: what is outside the image is 0"
    )
    kernel = page.weight(
        "kernel",
        kernel_values.transpose(3, 0, 1, 2),
        [f"filter {o} u {u}" for o in range(filters) for u in range(height)],
        [f"v {v} c {c}" for v in range(width) for c in range(channels)],
    )
    names = [f"filter {o}" for o in range(filters)]
    bias = None if params.bias is None else page.vector("bias", params.bias, names)
    top = first_pixel(x.shape[0], (height - 1) * rows_step + 1, down, layer.padding)
    left = first_pixel(x.shape[1], (width - 1) * columns_step + 1, right, layer.padding)
    per_group = filters // layer.groups

    def formula(i: int, j: int, o: int) -> str:
        us = _window(top + i * down, height, rows_step, x.shape[0])
        vs = _window(left + j * right, width, columns_step, x.shape[1])
        first = o // per_group * channels
        if layer.groups == 1 and rows_step == columns_step == 1:
            parts = [(us[0], len(us), vs[0], len(vs))]
        else:
            parts = [(u, 1, v, 1) for u in us for v in vs]
        terms = []
        for (u, row), rows, (v, column), columns in parts:
            pixels = x.place.area(row, column * x.shape[2] + first, rows, columns * channels)
            weights = kernel.area(o * height + u, v * channels, rows, columns * channels)
            terms.append(f"SUMPRODUCT({pixels},{weights})")
        return plus(*terms, bias.cell(0, o) if bias else "")

    return activated(page, layer.activation, shape, formula)


def _write_pool(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    (x,) = xs
    largest = isinstance(layer, layers.MaxPooling2D)
    height, width = layer.pool_size
    down, right = layer.strides or layer.pool_size
    page.meaning = (
        f"y = the {'largest' if largest else 'mean'} of each {height} × {width} window of a "
        f"channel, strides {down} and {right}, padding {layer.padding} (which never counts)"
    )
    top = first_pixel(x.shape[0], height, down, layer.padding)
    left = first_pixel(x.shape[1], width, right, layer.padding)

    def formula(i: int, j: int, c: int) -> str:
        us = _window(top + i * down, height, 1, x.shape[0])
        vs = _window(left + j * right, width, 1, x.shape[1])
        cells = ",".join(x.at(row, column, c) for _, row in us for _, column in vs)
        return f"{'MAX' if largest else 'AVERAGE'}({cells})"

    return page.output(shape, formula)


def _write_global_pool(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    (x,) = xs
    largest = isinstance(layer, layers.GlobalMaxPooling2D)
    page.meaning = f"y(c) = the {'largest' if largest else 'mean'} of channel c in the whole image"
    height, width, channels = x.shape

    def formula(*i: int) -> str:
        whole, c = x.place.whole, i[-1]
        of_channel = f"(MOD(COLUMN({whole})-{x.place.left + 1},{channels})={c})"
        if largest:  # numbers from 0 on, so that the zeros of other channels are never the largest
            low = f"MIN({whole})"
            return f"SUMPRODUCT(MAX({of_channel}*({whole}-{low})))+{low}"
        return f"SUMPRODUCT({of_channel}*{whole})/{height * width}"

    return page.output(shape, formula)


def _write_global_pool1d(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    largest = isinstance(layer, layers.GlobalMaxPooling1D)
    page.meaning = f"y(c) = the {'largest' if largest else 'mean'} of row c over all steps"
    steps = xs[0].shape[0]

    def formula(*i: int) -> str:
        row = xs[0].place.area(i[-1], 0, 1, steps)
        return f"{'MAX' if largest else 'AVERAGE'}({row})"

    return page.output(shape, formula)


CONVOLUTIONS: Mapping[type[layers.Layer], Writer] = {
    layers.AveragePooling2D: _write_pool,
    layers.Conv2D: _write_conv2d,
    layers.GlobalAveragePooling1D: _write_global_pool1d,
    layers.GlobalAveragePooling2D: _write_global_pool,
    layers.GlobalMaxPooling1D: _write_global_pool1d,
    layers.GlobalMaxPooling2D: _write_global_pool,
    layers.MaxPooling2D: _write_pool,
}
