"""Activations with constants of their own, as layers."""

import jax

from zoo import functional as F
from zoo.layers.layer import Layer


class ReLU(Layer):
    """See `zoo.functional.relu`.

    Args:
        max_value: the largest output; None means no bound.
        negative_slope: the slope below the threshold.
        threshold: where the slope becomes 1.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
    ):
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        return F.relu(
            x,
            max_value=self.max_value,
            negative_slope=self.negative_slope,
            threshold=self.threshold,
        )


class LeakyReLU(Layer):
    """`x` where it is positive, else `negative_slope · x`."""

    def __init__(self, negative_slope: float = 0.3):
        self.negative_slope = negative_slope

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        return F.relu(x, negative_slope=self.negative_slope)


class ELU(Layer):
    """`x` where it is positive, else `alpha · (eˣ − 1)`."""

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def __call__(self, x: jax.Array) -> jax.Array:
        """Any shape, kept."""
        return F.elu(x, alpha=self.alpha)


class Softmax(Layer):
    """See `zoo.functional.softmax`."""

    def __init__(self, axis: int | tuple[int, ...] = -1):
        self.axis = axis

    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None) -> jax.Array:
        """Any shape, kept; a mask must broadcast to it."""
        return F.softmax(x, axis=self.axis, mask=mask)
