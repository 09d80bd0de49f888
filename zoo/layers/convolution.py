"""Convolution over images and over sequences."""

import jax
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError, check_positive
from zoo.functional._arrays import pair
from zoo.functional.convolution import check_padding
from zoo.functional.pooling import max_pool2d_of_relu
from zoo.layers.core import glorot_uniform, zeros
from zoo.layers.interception import calls_are_intercepted
from zoo.layers.layer import Layer
from zoo.layers.pooling import MaxPooling2D


class Conv2D(Layer):
    """A bank of filters over images, channels last; see `zoo.functional.conv2d`.

    Args:
        in_features: channels of the input.
        filters: channels of the output.
        kernel_size: height and width of a filter.
        strides: step between windows.
        padding: "valid" or "same".
        dilation_rate: step between a window's samples.
        groups: number of independent blocks of channels.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        rngs: the kernel is drawn from the stream `params`: Glorot uniform; the bias is zero.
    """

    def __init__(
        self,
        in_features: int,
        filters: int,
        kernel_size: int | tuple[int, int],
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        *,
        dilation_rate: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: str | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, filters=filters, groups=groups)
        check_padding(padding)
        F.activation(activation)
        if in_features % groups or filters % groups:
            raise ZooError(
                f"groups must divide in_features={in_features} and filters={filters}, "
                f"got {groups!r}."
            )
        self.filters, self.activation, self.use_bias = filters, activation, use_bias
        self.kernel_size = pair("kernel_size", kernel_size)
        self.strides, self.padding = pair("strides", strides), padding
        self.dilation_rate, self.groups = pair("dilation_rate", dilation_rate), groups
        shape = (*self.kernel_size, in_features // groups, filters)
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        self.bias = nnx.Param(zeros(rngs.params(), (filters,))) if use_bias else None

    @property
    def params(self) -> F.ConvParams:
        """The weights as the function takes them."""
        return F.ConvParams(self.kernel[...], None if self.bias is None else self.bias[...])

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, H, W, in_features]` to `[B, H', W', filters]`."""
        return F.activation(self.activation)(self._convolved(self.params, x))

    def max_pooled(self, pool: Layer, x: jax.Array) -> jax.Array:
        """`pool(self(x))`; the largest of a ReLU by `zoo.functional.pooling.max_pool2d_of_relu`."""
        params = self.params
        if (
            not isinstance(pool, MaxPooling2D)
            or self.activation != "relu"
            or params.bias is None
            or calls_are_intercepted()
        ):
            return pool(self(x))
        y = self._convolved(params._replace(bias=None), x)
        return max_pool2d_of_relu(y, params.bias, pool.pool_size, pool.strides, pool.padding)

    def _convolved(self, params: F.ConvParams, x: jax.Array) -> jax.Array:
        return F.conv2d(
            params,
            x,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
        )


class Conv1D(Layer):
    """A bank of filters over sequences, channels last; see `zoo.functional.conv1d`.

    Args:
        in_features: channels of the input.
        filters: channels of the output.
        kernel_size: steps that a filter covers.
        strides: step between windows.
        padding: "valid", "same" or "causal".
        dilation_rate: step between a window's samples.
        groups: number of independent blocks of channels.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        rngs: the kernel is drawn from the stream `params`: Glorot uniform; the bias is zero.
    """

    def __init__(
        self,
        in_features: int,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        *,
        dilation_rate: int = 1,
        groups: int = 1,
        activation: str | None = None,
        use_bias: bool = True,
        rngs: nnx.Rngs,
    ):
        check_positive(
            in_features=in_features, filters=filters, groups=groups, kernel_size=kernel_size
        )
        F.activation(activation)
        if in_features % groups or filters % groups:
            raise ZooError(
                f"groups must divide in_features={in_features} and filters={filters}, "
                f"got {groups!r}."
            )
        self.filters, self.activation, self.use_bias = filters, activation, use_bias
        self.kernel_size, self.strides, self.padding = kernel_size, strides, padding
        self.dilation_rate, self.groups = dilation_rate, groups
        shape = (kernel_size, in_features // groups, filters)
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), shape))
        self.bias = nnx.Param(zeros(rngs.params(), (filters,))) if use_bias else None

    @property
    def params(self) -> F.ConvParams:
        """The weights as the function takes them."""
        return F.ConvParams(self.kernel[...], None if self.bias is None else self.bias[...])

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, T, in_features]` to `[B, T', filters]`."""
        y = F.conv1d(
            self.params,
            x,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
        )
        return F.activation(self.activation)(y)
