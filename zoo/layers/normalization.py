"""Batch and layer normalisation, and scaling by known numbers."""

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.errors import check_positive
from zoo.layers.layer import Layer


class BatchNormalization(Layer):
    """Normalises each channel, then scales and shifts it; see `zoo.functional.batch_norm`.

    In training the batch's statistics are used and the moving ones updated; in evaluation the
    moving ones are used.

    Args:
        features: channels, the last axis of the input.
        momentum: weight of the old moving statistics.
        epsilon: added to the variance.
        center: whether there is a shift, `beta`, at first 0.
        scale: whether there is a scale, `gamma`, at first 1.
    """

    def __init__(
        self,
        features: int,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
    ):
        check_positive(features=features)
        self.momentum, self.epsilon = momentum, epsilon
        self.center, self.scale = center, scale
        self.use_running_average = False  # the name that model.train() and model.eval() set
        self.gamma = nnx.Param(jnp.ones(features)) if scale else None
        self.beta = nnx.Param(jnp.zeros(features)) if center else None
        self.moving_mean = nnx.BatchStat(jnp.zeros(features))
        self.moving_variance = nnx.BatchStat(jnp.ones(features))

    @property
    def params(self) -> F.BatchNormParams:
        """The learned weights as the function takes them."""
        return F.BatchNormParams(
            None if self.gamma is None else self.gamma[...],
            None if self.beta is None else self.beta[...],
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ..., features]`, kept."""
        y, stats = F.batch_norm(
            self.params,
            F.BatchNormStats(self.moving_mean[...], self.moving_variance[...]),
            x,
            training=not self.use_running_average,
            momentum=self.momentum,
            epsilon=self.epsilon,
        )
        if not self.use_running_average:
            self.moving_mean[...], self.moving_variance[...] = stats
        return y


class LayerNormalization(Layer):
    """Normalises each example over some axes; see `zoo.functional.layer_norm`.

    Args:
        features: sizes of these axes in ascending order, or one number.
        axis: the axes.
        epsilon: added to the variance.
        center: whether there is a shift, `beta`, at first 0.
        scale: whether there is a scale, `gamma`, at first 1.
    """

    def __init__(
        self,
        features: int | tuple[int, ...],
        *,
        axis: int | tuple[int, ...] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
    ):
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self.gamma = nnx.Param(jnp.ones(features)) if scale else None
        self.beta = nnx.Param(jnp.zeros(features)) if center else None

    @property
    def params(self) -> F.LayerNormParams:
        """The learned weights as the function takes them."""
        return F.LayerNormParams(
            None if self.gamma is None else self.gamma[...],
            None if self.beta is None else self.beta[...],
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ...]`, kept."""
        return F.layer_norm(self.params, x, axis=self.axis, epsilon=self.epsilon)


class Normalization(Layer):
    """Scales by statistics of the data, which no training moves; see `zoo.functional.standardize`.

    Args:
        features: sizes in ascending order of the axes along which the statistics differ.
        axis: these axes; `()` for one mean and one variance.
        invert: the way back.
    """

    def __init__(
        self,
        features: int | tuple[int, ...],
        *,
        axis: int | tuple[int, ...] = -1,
        invert: bool = False,
    ):
        self.axis, self.invert = axis, invert
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.variance = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        x = jnp.asarray(x, self.mean.dtype)
        return F.standardize(
            x, self.mean[...], self.variance[...], axis=self.axis, invert=self.invert
        )


class Rescaling(Layer):
    """`x · scale + offset`; see `zoo.functional.rescale`.

    Args:
        scale: one number, or one for each channel.
        offset: likewise.
    """

    def __init__(
        self,
        scale: float | tuple[float, ...],
        offset: float | tuple[float, ...] = 0.0,
    ):
        self.scale, self.offset = scale, offset

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., C]`, kept, as floats."""
        x = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
        return F.rescale(x, jnp.asarray(self.scale, x.dtype), jnp.asarray(self.offset, x.dtype))
