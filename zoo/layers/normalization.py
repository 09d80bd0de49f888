"""Batch and layer normalisation, and scaling by known numbers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError, check_positive
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
        self.gamma = nnx.Param(jnp.ones(features, jnp.float32)) if scale else None
        self.beta = nnx.Param(jnp.zeros(features, jnp.float32)) if center else None
        self.moving_mean = nnx.BatchStat(jnp.zeros(features, jnp.float32))
        self.moving_variance = nnx.BatchStat(jnp.ones(features, jnp.float32))

    @property
    def params(self) -> F.BatchNormParams:
        """The learned weights as the function takes them."""
        return F.BatchNormParams(
            None if self.gamma is None else self.gamma[...],
            None if self.beta is None else self.beta[...],
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, ..., features]`, kept, as floats."""
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = jnp.asarray(x, jnp.float32)  # pixels may come as they are stored
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
        self.gamma = nnx.Param(jnp.ones(features, jnp.float32)) if scale else None
        self.beta = nnx.Param(jnp.zeros(features, jnp.float32)) if center else None

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
        mean: numbers that broadcast to these sizes; None means a variable, to be filled.
        variance: likewise.
        invert: the way back.
    """

    def __init__(
        self,
        features: int | tuple[int, ...],
        *,
        axis: int | tuple[int, ...] = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
    ):
        if (mean is None) != (variance is None):
            raise ZooError(
                f"mean and variance must be given together, got {mean!r} and {variance!r}."
            )
        self.features = (features,) if isinstance(features, int) else features
        self.axis, self.invert = axis, invert
        self.given_mean, self.given_variance = mean, variance
        self.mean = nnx.BatchStat(jnp.zeros(features, jnp.float32)) if mean is None else None
        self.variance = nnx.BatchStat(jnp.ones(features, jnp.float32)) if mean is None else None
        # How many examples the statistics are of; Keras keeps it beside them.
        self.count = nnx.BatchStat(jnp.zeros((), jnp.int32)) if mean is None else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept, as floats."""
        x = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
        if self.mean is None or self.variance is None:
            mean, variance = (
                jnp.asarray(np.broadcast_to(np.asarray(value, x.dtype), self.features))
                for value in (self.given_mean, self.given_variance)
            )
        else:
            mean, variance = self.mean[...], self.variance[...]
        return F.standardize(x, mean, variance, axis=self.axis, invert=self.invert)


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
        # NumPy first: for JAX every number of a list is an array.
        scale, offset = (jnp.asarray(np.asarray(v, x.dtype)) for v in (self.scale, self.offset))
        return F.rescale(x, scale, offset)
