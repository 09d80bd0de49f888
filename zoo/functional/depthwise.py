"""Convolutions that treat each channel by itself, and their product with a 1×1 one."""

from typing import NamedTuple

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, check_rank
from zoo.functional.convolution import ConvParams, conv2d


class SeparableConvParams(NamedTuple):
    """The weights of a depthwise convolution followed by a 1×1 one.

    `depthwise_kernel [height, width, in, m]`, `pointwise_kernel [1, 1, in · m, out]` and
    `bias [out]` (or None).
    """

    depthwise_kernel: Array
    pointwise_kernel: Array
    bias: Array | None = None


def depthwise_conv2d(
    params: ConvParams,
    x: Array,
    *,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    dilation: int | tuple[int, int] = 1,
) -> Array:
    """Each channel with its own `m` filters: `conv2d` with as many groups as channels.

    Output channel `c·m + k` is input channel `c` with filter `kernel[:, :, c, k]`.

    Args:
        params: kernel `[height, width, in, m]`, bias `[in · m]` or None.
        x: `[B, H, W, in]`.
        strides: step between windows, one number or (vertical, horizontal).
        padding: "valid" or "same", as in `conv2d`.
        dilation: step between a window's samples.

    Returns:
        `[B, H', W', in · m]`.

    Raises:
        ZooError: as `conv2d` does.
    """
    check_rank("x", x, 4, "[B, H, W, in]")
    check_rank("kernel", params.kernel, 4, "[height, width, in, multiplier]")
    height, width, channels, multiplier = params.kernel.shape
    if x.shape[-1] != channels:
        raise ZooError(
            f"x must have {channels} channels for a kernel of shape {params.kernel.shape}, got "
            f"shape {x.shape}."
        )
    kernel = jnp.reshape(params.kernel, (height, width, 1, channels * multiplier))
    return conv2d(
        ConvParams(kernel, params.bias),
        x,
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=channels,
    )


def separable_conv2d(
    params: SeparableConvParams,
    x: Array,
    *,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    dilation: int | tuple[int, int] = 1,
) -> Array:
    """`depthwise_conv2d` without a bias, then a 1×1 `conv2d` that mixes the channels.

    Args:
        params: the two kernels and the bias.
        x: `[B, H, W, in]`.
        strides: of the depthwise part, one number or (vertical, horizontal).
        padding: of the depthwise part, "valid" or "same".
        dilation: of the depthwise part.

    Returns:
        `[B, H', W', out]`.

    Raises:
        ZooError: as `conv2d` does.

    Source: Chollet, 2017, https://arxiv.org/abs/1610.02357
    """
    y = depthwise_conv2d(
        ConvParams(params.depthwise_kernel), x, strides=strides, padding=padding, dilation=dilation
    )
    return conv2d(ConvParams(params.pointwise_kernel, params.bias), y)
