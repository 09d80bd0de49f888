"""Two-dimensional convolution, channels last."""

from functools import partial
from typing import NamedTuple

from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import (
    Array,
    along_last_axis,
    check_one_type,
    check_rank,
    check_vector,
    pair,
    varying_alike,
)
from zoo.functional.convolution_ways import Window, by_xla, fastest_on_cpu


class ConvParams(NamedTuple):
    """`kernel [height, width, in / groups, out]` and `bias [out]` (or None)."""

    kernel: Array
    bias: Array | None = None


def check_padding(padding: str) -> str:
    """`padding` in XLA's spelling, or an error."""
    if padding not in ("valid", "same"):
        raise ZooError(f"padding must be 'valid' or 'same', got {padding!r}.")
    return padding.upper()


def check_covers(x: Array, name: str, spans: tuple[int, ...]) -> None:
    """Raises where a window of `spans` pixels, called `name`, finds no place in an image of `x`.

    An empty result would go on unseen, and a mean of it come out as NaN.
    """
    if any(size < span for size, span in zip(x.shape[1:3], spans, strict=True)):
        raise ZooError(
            f"x must be at least as large as the {name} of {' × '.join(map(str, spans))} where "
            f"padding is 'valid', got shape {x.shape}."
        )


def conv2d(
    params: ConvParams,
    x: Array,
    *,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlation of images with a bank of filters, as Keras's `Conv2D` computes it.

    `y[b, i, j, o] = bias[o] + Σ_{u,v,c} x[b, s·i + d·u − p, s·j + d·v − p, c] · kernel[u,v,c,o]`
    with stride `s`, dilation `d` and, for `padding="same"`, zeros around the image such that
    `H' = ⌈H / s⌉`; an odd zero goes to the bottom and the right (TensorFlow's rule).

    Args:
        params: kernel `[height, width, in / groups, out]`, bias `[out]` or None.
        x: `[B, H, W, in]`.
        strides: step between windows, one number or (vertical, horizontal).
        padding: "valid" (none) or "same".
        dilation: step between a window's samples.
        groups: input and output channels are cut into this many independent blocks.

    Returns:
        `[B, H', W', out]`.

    Raises:
        ZooError: ranks, types, channels, groups or options do not fit together, or without
            padding the image is smaller than the (dilated) kernel.
    """
    check_rank("x", x, 4, "[B, H, W, in]")
    check_rank("kernel", params.kernel, 4, "[height, width, in / groups, out]")
    check_one_type(x, params.kernel)
    in_per_group, out = params.kernel.shape[2:]
    if groups < 1 or x.shape[-1] != in_per_group * groups or out % groups:
        raise ZooError(
            f"x with {x.shape[-1]} channels, groups={groups} and a kernel of shape "
            f"{params.kernel.shape} do not fit: channels must be {in_per_group} × groups, and "
            f"the {out} filters a multiple of groups."
        )
    check_vector("bias", params.bias, out)
    window = Window(
        pair("strides", strides), check_padding(padding), pair("dilation", dilation), groups
    )
    spans = tuple(
        (size - 1) * step + 1
        for size, step in zip(params.kernel.shape[:2], window.dilation, strict=True)
    )
    if window.padding == "VALID":
        check_covers(x, "kernel, dilation included,", spans)
    on_cpu = fastest_on_cpu(window, x, params.kernel)
    x, kernel = varying_alike((x, params.kernel))
    y = lax.platform_dependent(
        x, kernel, cpu=partial(on_cpu, window), default=partial(by_xla, window)
    )
    return y if params.bias is None else y + along_last_axis(params.bias, y.ndim)
