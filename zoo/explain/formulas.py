"""Layers as spreadsheet formulas: what all writers share, and those of the basic layers.

Convolutions and pooling, embeddings and masks, and recurrent layers have modules of their own,
each with a table from a kind of layer to its writer. A writer puts the blocks of one call of
a layer on a page (weights, what is computed on the way, and the output) and says in words what
they compute. It needs shapes only; where things lie is known later, so formulas are written when
they are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from zoo import layers
from zoo.errors import ZooError
from zoo.explain.sheets import Page, Shape, Tensor

Writer = Callable[[Page, Any, Sequence[Tensor], Shape], Tensor]
_SIGMOID = "1/(1+EXP(-({x})))"
_SOFTPLUS = "MAX(0,{x})+LN(1+EXP(-ABS({x})))"
_HARD = "MAX(0,MIN(1,({x})/6+0.5))"

# Activations of one number; {x} stands for it. Softmax, which is of many, is apart.
ACTIVATIONS: Mapping[str, str] = {
    "linear": "{x}",
    "relu": "MAX(0,{x})",
    "relu6": "MIN(6,MAX(0,{x}))",
    "leaky_relu": "IF(({x})>=0,{x},0.2*({x}))",
    "tanh": "TANH({x})",
    "sigmoid": _SIGMOID,
    "hard_sigmoid": _HARD,
    "hard_sigmoid_keras2": "MAX(0,MIN(1,0.2*({x})+0.5))",
    "elu": "IF(({x})>0,{x},EXP({x})-1)",
    "selu": "1.05070098735548*IF(({x})>0,{x},1.67326324235438*(EXP({x})-1))",
    "gelu": "0.5*({x})*(1+ERF(({x})/SQRT(2)))",
    "swish": "({x})/(1+EXP(-({x})))",
    "silu": "({x})/(1+EXP(-({x})))",
    "hard_silu": f"({{x}})*{_HARD}",
    "mish": f"({{x}})*TANH({_SOFTPLUS})",
    "softplus": _SOFTPLUS,
    "softsign": "({x})/(1+ABS({x}))",
    "exponential": "EXP({x})",
}


def activation_formula(name: str | None, x: str) -> str:
    """An activation of one number, given as a reference or a formula."""
    return ACTIVATIONS[name or "linear"].replace("{x}", x)


def activated(page: Page, name: str | None, shape: Shape, formula: Callable[..., str]) -> Tensor:
    """The output of a layer that has an activation: the sums first, then the activation of each."""
    if name in (None, "linear"):
        return page.output(shape, formula)
    page.meaning += f", then {name}"
    return _activation(page, name, page.formulas("inner", "sum", shape, formula, "before " + name))


def _activation(page: Page, name: str, x: Tensor) -> Tensor:
    if name in ("softmax", "log_softmax"):
        return _softmax(page, x, log=name == "log_softmax")
    return page.output(x.shape, lambda *i: activation_formula(name, x.at(*i)))


def _softmax(page: Page, x: Tensor, *, log: bool = False) -> Tensor:
    def formula(*i: int) -> str:
        all_ = x.last_axis(*i[:-1])
        shifted, total = f"{x.at(*i)}-MAX({all_})", f"SUMPRODUCT(EXP({all_}-MAX({all_})))"
        return f"{shifted}-LN({total})" if log else f"EXP({shifted})/{total}"

    return page.output(x.shape, formula)


def plus(*terms: str) -> str:
    """A sum of those terms that are there."""
    return "+".join(filter(None, terms)) or "0"


def _write_activation(page: Page, layer: Any, xs: Sequence[Tensor], _: Shape) -> Tensor:
    page.meaning = f"y = {layer.activation}(x)"
    return _activation(page, layer.activation or "linear", xs[0])


def _write_softmax(page: Page, layer: Any, xs: Sequence[Tensor], _: Shape) -> Tensor:
    if layer.axis not in (-1, len(xs[0].shape)):
        raise ZooError(f"softmax must be over the last axis for a sheet, got axis={layer.axis!r}.")
    page.meaning = "y = eˣ / Σ eˣ; the largest x is subtracted first, which changes nothing"
    return _softmax(page, xs[0])


def _write_relu(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "y = x above the threshold, slope · (x − threshold) below"
    slope = layer.negative_slope
    threshold = getattr(layer, "threshold", 0.0)
    largest = getattr(layer, "max_value", None)

    def formula(*i: int) -> str:
        x = xs[0].at(*i)
        y = f"IF({x}>{threshold},{x},{slope}*({x}-{threshold}))"
        return y if largest is None else f"MIN({largest},{y})"

    return page.output(shape, formula)


def _write_elu(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "y = x where x > 0, else alpha · (eˣ − 1)"

    def formula(*i: int) -> str:
        x = xs[0].at(*i)
        return f"IF({x}>0,{x},{layer.alpha}*(EXP({x})-1))"

    return page.output(shape, formula)


def _write_dense(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    (x,) = xs
    if len(x.shape) > 2:
        raise ZooError(f"Dense must have a vector or a sequence on a sheet, got shape {x.shape}.")
    params = layer.params
    page.meaning = f"y(o) = {bias_term(params)}Σ x(i) · kernel(i, o)"
    outs = [f"out {o}" for o in range(layer.units)]
    kernel = page.weight("kernel", params.kernel, [f"in {i}" for i in range(x.shape[-1])], outs)
    bias = None if params.bias is None else page.vector("bias", params.bias, outs)

    def formula(*i: int) -> str:
        o = i[-1]
        product = f"SUMPRODUCT({x.last_axis(*i[:-1])},{kernel.area(0, o, kernel.height, 1)})"
        return plus(product, bias.cell(0, o) if bias else "")

    return activated(page, layer.activation, shape, formula)


def bias_term(params: Any) -> str:
    """How the bias of a layer begins the meaning of its formula; nothing where it has none."""
    return "" if params.bias is None else "bias(o) + "


def _write_batch_norm(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    (x,), params = xs, layer.params
    page.meaning = (
        f"y = gamma · (x − mean) / √(variance + {layer.epsilon}) + beta, with each channel's own"
    )
    channels = [f"c {c}" for c in range(shape[-1])]
    gamma, beta = (
        None if values is None else page.vector(name, values, channels)
        for name, values in params._asdict().items()
    )
    mean = page.vector("mean", layer.moving_mean[...], channels)
    variance = page.vector("variance", layer.moving_variance[...], channels)

    def formula(*i: int) -> str:
        c = i[-1]
        scale = f"{gamma.cell(0, c)}*" if gamma else ""
        y = f"{scale}({x.at(*i)}-{mean.cell(0, c)})/SQRT({variance.cell(0, c)}+{layer.epsilon})"
        return plus(y, beta.cell(0, c) if beta else "")

    return page.output(shape, formula)


def _write_moved(page: Page, _: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    """Flatten and Reshape: the same numbers in the same order."""
    page.meaning = f"y = x in rows of another length: {xs[0].shape} becomes {shape}"
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]

    def formula(*i: int) -> str:
        place = sum(index * stride for index, stride in zip(i, strides, strict=True))
        return xs[0].at(*map(int, np.unravel_index(place, xs[0].shape)))

    return page.output(shape, formula)


def _write_permute(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = f"y = x with its axes in the order {layer.dims}"

    def formula(*i: int) -> str:
        source = [0] * len(i)
        for ours, theirs in enumerate(layer.dims):
            source[theirs - 1] = i[ours]
        return xs[0].at(*source)

    return page.output(shape, formula)


def _write_slice(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = f"y = x from place {layer.start} of its last axis on, {shape[-1]} of them"
    return page.output(shape, lambda *i: xs[0].at(*i[:-1], i[-1] + layer.start))


def _write_repeat(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = f"y(t) = x, {layer.n} times"
    return page.output(shape, lambda _, d: xs[0].at(d))


def _write_same(page: Page, _: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "y = x: this layer does something in training only"
    return page.output(shape, lambda *i: xs[0].at(*i))


def _write_rescaling(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    page.meaning = "y = x · scale + offset"
    channels = [f"c {c}" for c in range(shape[-1])]
    scale, offset = (
        page.vector(name, np.broadcast_to(getattr(layer, name), shape[-1:]), channels)
        for name in ("scale", "offset")
    )
    return page.output(
        shape, lambda *i: f"{xs[0].at(*i)}*{scale.cell(0, i[-1])}+{offset.cell(0, i[-1])}"
    )


def _write_concatenate(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:
    axis = layer.axis if layer.axis < 0 else layer.axis - len(shape) - 1
    page.meaning = "y = the inputs side by side"
    sizes = [x.shape[axis] for x in xs]
    sources = [(x, place) for x, size in zip(xs, sizes, strict=True) for place in range(size)]

    def formula(*i: int) -> str:
        index = list(i)
        x, index[axis] = sources[i[axis]]
        return x.at(*index)

    return page.output(shape, formula)


def _merged(words: str, joined: Callable[[list[str]], str]) -> Writer:
    def write(page: Page, layer: Any, xs: Sequence[Tensor], shape: Shape) -> Tensor:  # noqa: ARG001
        if any(x.shape != shape for x in xs):
            raise ZooError(
                f"merged arrays must be of one shape on a sheet, got {[x.shape for x in xs]}."
            )
        page.meaning = words
        return page.output(shape, lambda *i: joined([x.at(*i) for x in xs]))

    return write


BASIC: Mapping[type[layers.Layer], Writer] = {
    layers.Activation: _write_activation,
    layers.Add: _merged("y = the sum of the inputs", "+".join),
    layers.Average: _merged("y = the mean of the inputs", lambda x: f"AVERAGE({','.join(x)})"),
    layers.BatchNormalization: _write_batch_norm,
    layers.Concatenate: _write_concatenate,
    layers.Dense: _write_dense,
    layers.Dropout: _write_same,
    layers.ELU: _write_elu,
    layers.Flatten: _write_moved,
    layers.GaussianNoise: _write_same,
    layers.LeakyReLU: _write_relu,
    layers.Maximum: _merged("y = the largest of the inputs", lambda x: f"MAX({','.join(x)})"),
    layers.Minimum: _merged("y = the smallest of the inputs", lambda x: f"MIN({','.join(x)})"),
    layers.Multiply: _merged("y = the product of the inputs", "*".join),
    layers.Permute: _write_permute,
    layers.ReLU: _write_relu,
    layers.RepeatVector: _write_repeat,
    layers.Rescaling: _write_rescaling,
    layers.Reshape: _write_moved,
    layers.Slice: _write_slice,
    layers.Softmax: _write_softmax,
    layers.SpatialDropout1D: _write_same,
    layers.SpatialDropout2D: _write_same,
    layers.Subtract: _merged("y = the first input minus the second", "-".join),
}
