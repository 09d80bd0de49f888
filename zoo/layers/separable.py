"""Convolutions that treat each channel by itself."""

import jax
from flax import nnx

from zoo import functional as F
from zoo.errors import check_positive
from zoo.functional._arrays import pair
from zoo.layers.core import glorot_uniform, zeros
from zoo.layers.layer import Layer


class DepthwiseConv2D(Layer):
    """Each channel with filters of its own; see `zoo.functional.depthwise_conv2d`.

    Args:
        in_features: channels of the input.
        kernel_size: height and width of a filter.
        strides: step between windows.
        padding: "valid" or "same".
        depth_multiplier: filters for each channel.
        dilation_rate: step between a window's samples.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        rngs: the kernel is drawn from the stream `params`: Glorot uniform; the bias is zero.
    """

    def __init__(
        self,
        in_features: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        *,
        depth_multiplier: int = 1,
        dilation_rate: int | tuple[int, int] = 1,
        activation: str | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, depth_multiplier=depth_multiplier)
        F.activation(activation)
        self.kernel_size, self.depth_multiplier = pair("kernel_size", kernel_size), depth_multiplier
        self.strides, self.padding, self.dilation_rate = strides, padding, dilation_rate
        self.activation, self.use_bias = activation, use_bias
        shape = (*self.kernel_size, in_features, depth_multiplier)
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        width = in_features * depth_multiplier
        self.bias = nnx.Param(zeros(rngs.params(), (width,))) if use_bias else None

    @property
    def params(self) -> F.ConvParams:
        """The weights as the function takes them."""
        return F.ConvParams(self.kernel[...], None if self.bias is None else self.bias[...])

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, in_features]` to `[B, H', W', in_features · depth_multiplier]`."""
        y = F.depthwise_conv2d(
            self.params,
            x,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
        )
        return F.activation(self.activation)(y)


class SeparableConv2D(Layer):
    """A depthwise convolution, then a 1×1 one; see `zoo.functional.separable_conv2d`.

    Args:
        in_features: channels of the input.
        filters: channels of the output.
        kernel_size: height and width of a depthwise filter.
        strides: step between windows.
        padding: "valid" or "same".
        depth_multiplier: depthwise filters for each channel.
        dilation_rate: step between a window's samples.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        rngs: the kernels are drawn from the stream `params`: Glorot uniform; the bias is zero.
    """

    def __init__(
        self,
        in_features: int,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        *,
        depth_multiplier: int = 1,
        dilation_rate: int | tuple[int, int] = 1,
        activation: str | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, filters=filters, depth_multiplier=depth_multiplier)
        F.activation(activation)
        self.filters, self.depth_multiplier = filters, depth_multiplier
        self.kernel_size = pair("kernel_size", kernel_size)
        self.strides, self.padding, self.dilation_rate = strides, padding, dilation_rate
        self.activation, self.use_bias = activation, use_bias
        shape = (*self.kernel_size, in_features, depth_multiplier)
        self.depthwise_kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        shape = (1, 1, in_features * depth_multiplier, filters)
        self.pointwise_kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        self.bias = nnx.Param(zeros(rngs.params(), (filters,))) if use_bias else None

    @property
    def params(self) -> F.SeparableConvParams:
        """The weights as the function takes them."""
        return F.SeparableConvParams(
            self.depthwise_kernel[...],
            self.pointwise_kernel[...],
            None if self.bias is None else self.bias[...],
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, in_features]` to `[B, H', W', filters]`."""
        y = F.separable_conv2d(
            self.params,
            x,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
        )
        return F.activation(self.activation)(y)
