"""Layers that make one array of several."""

from collections.abc import Sequence

import jax

from zoo import functional as F
from zoo.layers.layer import Layer

Arrays = Sequence[jax.Array]
Masks = Sequence[jax.Array | None] | None


class Merge(Layer):
    """What layers of several inputs have in common: they are called with a list of arrays."""


class Concatenate(Merge):
    """Arrays side by side; see `zoo.functional.concatenate`."""

    def __init__(self, axis: int = -1):
        self.axis = axis

    def __call__(self, xs: Arrays) -> jax.Array:
        """Arrays that agree in all axes but one."""
        return F.concatenate(xs, self.axis)


class Add(Merge):
    """The sum."""

    def __call__(self, xs: Arrays) -> jax.Array:
        """Arrays that broadcast together."""
        return F.add(xs)


class Subtract(Merge):
    """The first minus the second."""

    def __call__(self, xs: Arrays) -> jax.Array:
        """Two arrays that broadcast together."""
        return F.subtract(xs)


class Average(Merge):
    """The mean."""

    def __call__(self, xs: Arrays) -> jax.Array:
        """Arrays that broadcast together."""
        return F.average(xs)


class Multiply(Merge):
    """The product; see `zoo.functional.multiply` for what masks do."""

    def __call__(self, xs: Arrays, *, masks: Masks = None) -> jax.Array:
        """Arrays that broadcast together, and a mask or None for each."""
        return F.multiply(xs, masks)


class Maximum(Merge):
    """The largest; see `zoo.functional.maximum` for what masks do."""

    def __call__(self, xs: Arrays, *, masks: Masks = None) -> jax.Array:
        """Arrays that broadcast together, and a mask or None for each."""
        return F.maximum(xs, masks)


class Minimum(Merge):
    """The smallest; see `zoo.functional.minimum` for what masks do."""

    def __call__(self, xs: Arrays, *, masks: Masks = None) -> jax.Array:
        """Arrays that broadcast together, and a mask or None for each."""
        return F.minimum(xs, masks)


class Dot(Merge):
    """Products summed over one axis of each of two arrays; see `zoo.functional.dot`.

    Args:
        axes: one number for both or two.
        normalize: divide by the length along that axis first.
    """

    def __init__(self, axes: int | tuple[int, int], normalize: bool = False):
        self.axes, self.normalize = axes, normalize

    def __call__(self, xs: Arrays) -> jax.Array:
        """Two arrays."""
        first, second = xs
        return F.dot(first, second, axes=self.axes, normalize=self.normalize)
