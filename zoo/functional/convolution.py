"""Two-dimensional convolution, channels last."""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis, check_rank, check_vector, pair


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
        ZooError: ranks, channels, groups or options do not fit together, or without padding the
            image is smaller than the (dilated) kernel.
    """
    check_rank("x", x, 4, "[B, H, W, in]")
    check_rank("kernel", params.kernel, 4, "[height, width, in / groups, out]")
    in_per_group, out = params.kernel.shape[2:]
    if groups < 1 or x.shape[-1] != in_per_group * groups or out % groups:
        raise ZooError(
            f"x with {x.shape[-1]} channels, groups={groups} and a kernel of shape "
            f"{params.kernel.shape} do not fit: channels must be {in_per_group} × groups, and "
            f"the {out} filters a multiple of groups."
        )
    check_vector("bias", params.bias, out)
    window = _Window(
        pair("strides", strides), check_padding(padding), pair("dilation", dilation), groups
    )
    spans = tuple(
        (size - 1) * step + 1
        for size, step in zip(params.kernel.shape[:2], window.dilation, strict=True)
    )
    if window.padding == "VALID":
        check_covers(x, "kernel, dilation included,", spans)
    if groups == 1 and _is_cheaper_by_patches(window, x, params.kernel):
        y = lax.platform_dependent(
            x, params.kernel, cpu=partial(_by_patches, window), default=partial(_by_xla, window)
        )
    else:
        y = _by_xla(window, x, params.kernel)
    return y if params.bias is None else y + along_last_axis(params.bias, y.ndim)


class _Window(NamedTuple):
    strides: tuple[int, int]
    padding: str
    dilation: tuple[int, int]
    groups: int


# A filter of at most this many numbers (3×3 over up to three channels) is cheaper on a CPU as
# one matrix product: XLA's own convolution, and its gradient by the kernel above all, is slow
# for few channels, and more so inside a compiled loop of training steps.
_FEW_PRODUCTS = 27
# So is any filter while all patches together have at most this many numbers (32 MB): a batch of
# 32 to 64 in training. In a compiled loop the gradients of XLA's own convolution took ten times as
# long for 16 and 32 channels. Beyond it, as in evaluation, the patches cost more than they save.
_FEW_NUMBERS = 2**23


def _is_cheaper_by_patches(window: _Window, x: Array, kernel: Array) -> bool:
    if kernel.shape[:2] == (1, 1):
        return True  # a matrix product as it stands: nothing is copied, and twice as fast
    products = kernel[..., 0].size
    places = x[..., 0].size // (window.strides[0] * window.strides[1])
    return products <= _FEW_PRODUCTS or places * products <= _FEW_NUMBERS


def _by_xla(window: _Window, x: Array, kernel: Array) -> Array:
    """The definition."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=window.strides,
        padding=window.padding,
        rhs_dilation=window.dilation,
        feature_group_count=window.groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _by_patches(window: _Window, x: Array, kernel: Array) -> Array:
    """The same as one matrix product: every window's pixels `[B·H'·W', h·w·in]` by the filters."""
    height, width, channels, filters = kernel.shape
    (down, right), (down_step, right_step) = window.strides, window.dilation
    spans = (1, (height - 1) * down_step + 1, (width - 1) * right_step + 1, 1)
    x = jnp.pad(x, lax.padtype_to_pads(x.shape, spans, (1, down, right, 1), window.padding))
    last_row, last_column = x.shape[1] - spans[1] + 1, x.shape[2] - spans[2] + 1
    patches = jnp.concatenate(
        [
            x[:, u : u + last_row : down, v : v + last_column : right]
            for u in range(0, spans[1], down_step)
            for v in range(0, spans[2], right_step)
        ],
        axis=-1,
    )
    flat = jnp.reshape(patches, (-1, height * width * channels))
    y = jnp.matmul(flat, jnp.reshape(kernel, (-1, filters)))
    return jnp.reshape(y, (*patches.shape[:3], filters))
