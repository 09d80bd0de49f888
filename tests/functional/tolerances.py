"""How close is close."""

from typing import Any

import jax
import numpy as np

# Relative and absolute, for results of the order of 1. A result here is made of some ten to a
# hundred roundings (sums of up to 50 products, five dependent steps), so the bound is the dtype's
# unit roundoff (the middle column) times about 50 to 5,000: wide for a backend that sums in
# another order, and far below what a wrong gate, bias or constant changes. bfloat16 gets less
# room in units because its sums are carried in float32.
TOLERANCES = {
    "float64": 5e-13,  # 1.1e-16
    "float32": 5e-6,  # 6.0e-8
    "bfloat16": 5e-2,  # 3.9e-3
}


def assert_close(actual: Any, expected: Any) -> None:
    """Two trees of the same structure, leaf by leaf, at the tolerance of `actual`'s dtype."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        bound = TOLERANCES[str(one.dtype)]
        np.testing.assert_allclose(
            np.asarray(one, np.float64), np.asarray(other, np.float64), rtol=bound, atol=bound
        )


def assert_same(actual: Any, expected: Any) -> None:
    """Two trees of the same structure, leaf by leaf, to the bit (NaN equals NaN)."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
