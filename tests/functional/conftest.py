"""The strictest JAX there is, for the arithmetic."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _strict() -> Iterator[None]:
    """No implicit change of dtype; and float64 exists, so that a silent one to it is seen."""
    with jax.numpy_dtype_promotion("strict"), jax.enable_x64(True):
        yield
