"""Dropout: how much, what is left of the rest, and that a key decides."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional.cases import zoo_error
from tests.functional.tolerances import assert_close, assert_same

SIZE = (100, 200)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_share_and_scale(rate: float) -> None:
    x = jnp.asarray(np.random.default_rng(1).uniform(1, 2, SIZE))
    y = F.dropout(jax.random.key(0), x, rate)
    kept = np.asarray(y) != 0
    deviation = np.sqrt(rate * (1 - rate) / x.size)
    assert abs(1 - kept.mean() - rate) < 4 * deviation
    assert_close(y, np.where(kept, np.asarray(x) / (1 - rate), 0))
    # The mean is kept: a value's variance is (x²/(1 − rate) − x²), with x below 2.
    error = 2 * np.sqrt(rate / (1 - rate) / x.size)
    assert abs(y.mean() - x.mean()) < 4 * error
    # Neither whole rows nor whole columns are dropped together.
    assert (~kept).sum(0).std() < 4 * np.sqrt(SIZE[0] * rate * (1 - rate))
    assert len(np.unique(kept, axis=0)) == SIZE[0]
    assert len(np.unique(kept, axis=1).T) == SIZE[1]


def test_key_decides() -> None:
    x = jnp.ones(SIZE)
    once, again = (F.dropout(jax.random.key(3), x, 0.5) for _ in range(2))
    assert_same(once, again)
    assert_same(once, jax.jit(F.dropout, static_argnums=2)(jax.random.key(3), x, 0.5))
    other = F.dropout(jax.random.key(4), x, 0.5)
    assert 0.45 < np.mean(np.asarray(once) == np.asarray(other)) < 0.55


def test_rate_zero_changes_nothing() -> None:
    x = jnp.asarray(np.random.default_rng(2).normal(size=SIZE))
    assert_same(F.dropout(jax.random.key(0), x, 0.0), x)
    assert_same(F.dropout(jax.random.key(0), x, 0), x)


def test_what_is_dropped_is_zero_even_if_it_was_not_a_number() -> None:
    y = np.asarray(F.dropout(jax.random.key(0), jnp.full(SIZE, jnp.nan), 0.5))
    assert set(np.unique(np.nan_to_num(y, nan=1.0))) == {0.0, 1.0}


def test_gradient_is_the_mask() -> None:
    x = jnp.asarray(np.random.default_rng(3).normal(size=SIZE))
    gradient = jax.grad(lambda x: jnp.sum(F.dropout(jax.random.key(5), x, 0.25)))(x)
    kept = np.asarray(F.dropout(jax.random.key(5), jnp.ones(SIZE), 0.25)) != 0
    assert_close(gradient, np.where(kept, 1 / 0.75, 0))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, float("nan")])
def test_rate_out_of_range(rate: Any) -> None:
    with zoo_error(f"rate must be at least 0 and less than 1, got {rate!r}."):
        F.dropout(jax.random.key(0), jnp.ones(3), rate)
