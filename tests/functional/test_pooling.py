"""Pooling against loops over every window, and flattening."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import reference
from tests.functional.cases import zoo_error
from tests.functional.tolerances import assert_close, assert_same
from zoo.errors import ZooError
from zoo.functional.pooling import max_pool2d_of_relu

POOLS = [(F.max_pool2d, max), (F.avg_pool2d, np.mean)]
both = pytest.mark.parametrize(("pool", "reduce"), POOLS, ids=["max", "avg"])


def compiled(pool: Any, x: jax.Array, *options: Any) -> Any:
    """In one program: op by op, each slice of a pool would be compiled by itself."""
    return jax.jit(lambda x: pool(x, *options))(x)


def images(size: tuple[int, int] = (7, 6), offset: float = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(1).normal(offset, 1, (2, *size, 3)))


@both
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("window", "strides"),
    [
        ((3, 2), (2, 1)),  # overlapping
        ((2, 1), (3, 3)),  # with gaps
        ((5, 6), (2, 4)),
    ],
    ids=str,
)
def test_pool(
    pool: Any,
    reduce: Callable[[list[float]], float],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
) -> None:
    x = images(offset=-5)  # all negative: a zero of the padding would win, or raise the mean
    expected = reference.pool2d(reduce, x, window, strides, padding)
    assert_close(compiled(pool, x, window, strides, padding), expected)


@both
def test_defaults(pool: Any, reduce: Callable[[list[float]], float]) -> None:
    """Windows of 2 × 2, side by side, no padding; one number is both."""
    x = images()
    expected = reference.pool2d(reduce, x, (2, 2), (2, 2), "valid")
    assert_close(compiled(pool, x), expected)
    assert_close(compiled(pool, x, 2, 2, "valid"), expected)
    expected = reference.pool2d(reduce, x, (3, 2), (3, 2), "valid")
    assert_close(compiled(pool, x, (3, 2)), expected)


@both
@pytest.mark.parametrize("size", [(1, 1), (2, 4)], ids=str)
def test_window_larger_than_the_image(
    pool: Any, reduce: Callable[[list[float]], float], size: tuple[int, int]
) -> None:
    x = images(size)
    expected = reference.pool2d(reduce, x, (3, 3), (2, 2), "same")
    assert_close(compiled(pool, x, 3, 2, "same"), expected)
    with pytest.raises(ZooError, match="window"):
        pool(x, 3)


@both
def test_window_much_larger_than_the_image(pool: Any, reduce: Any) -> None:  # noqa: ARG001
    with pytest.raises(ZooError, match="window"):
        pool(images((6, 6)), 8)


@both
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_window_of_very_many_places(
    pool: Any, reduce: Callable[[list[float]], float], padding: str
) -> None:
    x = images((20, 21), offset=-5)
    expected = reference.pool2d(reduce, x, (19, 20), (3, 2), padding)
    assert_close(compiled(pool, x, (19, 20), (3, 2), padding), expected)


def test_a_window_of_any_size_is_a_short_program() -> None:
    program = jax.make_jaxpr(lambda x: F.max_pool2d(x, 250, 1, "same"))(images())
    assert len(str(program)) < 5_000


def test_max_of_minus_infinity_and_nan() -> None:
    x = images().at[0, :2, :2, 0].set(-jnp.inf).at[1, 0, 0, 0].set(jnp.nan)
    y = compiled(F.max_pool2d, x)
    assert np.isneginf(y[0, 0, 0, 0])
    assert np.isnan(y[1, 0, 0, 0])


@pytest.mark.parametrize("window", [8, 20])
def test_mean_of_a_wide_window_in_bfloat16(window: int) -> None:
    """A sum carried in bfloat16 stands still at 256 times what is added to it."""
    x = jnp.asarray(np.random.default_rng(2).uniform(0.5, 1.5, (2, 20, 20, 3)), jnp.bfloat16)
    expected = reference.pool2d(np.mean, x, (window, window), (window, window), "valid")
    actual = np.asarray(compiled(F.avg_pool2d, x, window), np.float64)
    np.testing.assert_allclose(actual, expected, rtol=2**-8)  # one rounding at the end


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
def test_max_gradient_goes_to_the_first_of_the_largest(ties: bool) -> None:
    """After a relu most windows are tied at zero."""
    x = np.asarray(images())
    x = np.maximum(x, 0) if ties else x
    weights = np.random.default_rng(2).normal(size=(2, 4, 3, 3))
    actual = jax.jit(jax.grad(lambda x: jnp.sum(F.max_pool2d(x, 3, 2, "same") * weights)))(x)
    expected = np.zeros(x.shape)
    # "same" with 7 rows: one of padding on each side; with 6 columns: one on the right.
    for b, i, j, c in np.ndindex(*weights.shape):
        places = [
            (b, r, k, c)
            for r in range(2 * i - 1, 2 * i + 2)
            for k in range(2 * j, 2 * j + 3)
            if 0 <= r < 7 and k < 6
        ]
        expected[max(places, key=lambda place: x[place])] += weights[b, i, j, c]
    assert_close(actual, expected)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_with_and_without_a_derivative(padding: str) -> None:
    """Where nothing is differentiated, the largest values are found in another way."""
    x = images((9, 8)).at[0, :4, :4, 1].set(-jnp.inf).at[1, 4, 4, 0].set(jnp.nan)
    rng = np.random.default_rng(3)
    of_x = jnp.asarray(rng.normal(size=x.shape))

    def pool(x: jax.Array) -> jax.Array:
        return F.max_pool2d(x, (3, 2), 2, padding)

    y, of_y = jax.jit(lambda x, of_x: jax.jvp(pool, (x,), (of_x,)))(x, of_x)
    assert_same(compiled(pool, x), y)
    weights = jnp.asarray(rng.normal(size=y.shape))
    (back,) = jax.jit(lambda x, weights: jax.vjp(pool, x)[1](weights))(x, weights)
    assert_close(jnp.sum(back * of_x), jnp.sum(weights * of_y))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_of_relu(padding: str) -> None:
    """Values bit for bit, gradients and second derivatives are those of one after the other."""
    x = images((5, 4)).at[1, 2, 2, 0].set(jnp.nan).at[0, 0, 0, 0].set(-jnp.inf)
    rng = np.random.default_rng(5)
    bias = jnp.asarray(rng.normal(size=3))
    weights = jnp.asarray(rng.normal(size=max_pool2d_of_relu(x, bias, 2, 2, padding).shape))

    def in_order(x: jax.Array, bias: jax.Array) -> jax.Array:
        return F.max_pool2d(jax.nn.relu(x + bias[None, None, None]), 2, 2, padding)

    def at_once(x: jax.Array, bias: jax.Array) -> jax.Array:
        return max_pool2d_of_relu(x, bias, 2, 2, padding)

    def derivatives(pool: Any) -> Any:
        def loss(x: jax.Array, bias: jax.Array) -> jax.Array:
            return jnp.sum(weights * jnp.sin(pool(x, bias)))

        first = jax.grad(loss, argnums=(0, 1))
        second = jax.grad(lambda x, bias: jnp.sum(first(x, bias)[1] ** 2), argnums=(0, 1))
        finite = jnp.nan_to_num(x)
        return jax.jit(lambda x, bias: (first(x, bias), second(x, bias)))(finite, bias)

    assert_same(jax.jit(at_once)(x, bias), jax.jit(in_order)(x, bias))
    jax.tree.map(assert_close, derivatives(at_once), derivatives(in_order))


def test_max_of_relu_adds_the_bias_to_what_is_left() -> None:
    x, bias = images((8, 8)), jnp.zeros(3)
    program = str(jax.make_jaxpr(lambda x, bias: max_pool2d_of_relu(x, bias))(x, bias))
    assert re.search(r":f\d+\[2,4,4,3\] = add ", program)
    assert not re.search(r":f\d+\[2,8,8,3\] = add ", program)


def test_max_of_relu_with_a_bias_of_another_length() -> None:
    with pytest.raises(ZooError, match="bias must have shape"):
        max_pool2d_of_relu(images(), jnp.zeros(1))


def test_max_of_very_many_numbers() -> None:
    x = np.random.default_rng(4).normal(size=(1, 1024, 1024, 1)).astype(np.float32)
    expected = x.reshape(1, 512, 2, 512, 2, 1).max(axis=(2, 4))
    assert_same(compiled(F.max_pool2d, x), expected)


def test_global_pools() -> None:
    x = images()
    rows = np.asarray(x).reshape(2, 42, 3)
    assert_close(F.global_avg_pool2d(x), rows.mean(1))
    assert_same(F.global_max_pool2d(x), rows.max(1))


def test_global_mean_in_bfloat16() -> None:
    x = jnp.asarray(np.random.default_rng(3).uniform(0.5, 1.5, (2, 40, 40, 3)), jnp.bfloat16)
    y = F.global_avg_pool2d(x)
    assert y.dtype == jnp.bfloat16
    expected = np.asarray(x, np.float64).mean((1, 2))
    np.testing.assert_allclose(np.asarray(y, np.float64), expected, rtol=2**-8)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (3,), (1, 0, 2), (0, 3, 2)], ids=str)
def test_flatten(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(4).normal(size=shape)
    expected = np.zeros((shape[0], int(np.prod(shape[1:]))))
    for row in range(shape[0]):
        expected[row] = list(x[row].flat) if x.ndim > 1 else x[row]
    assert_same(F.flatten(jnp.asarray(x)), expected)


@pytest.mark.parametrize(
    "pool", [F.max_pool2d, F.avg_pool2d, F.global_avg_pool2d, F.global_max_pool2d]
)
def test_wrong_rank(pool: Any) -> None:
    with zoo_error("x must have shape [B, H, W, C] (4 axes), got shape (7, 6, 3)."):
        pool(images()[0])


@both
def test_wrong_options(pool: Any, reduce: Any) -> None:  # noqa: ARG001
    x = images()
    with zoo_error("padding must be 'valid' or 'same', got 'full'."):
        pool(x, padding="full")
    for value in (0, -2, (2,), (1, 2, 3), (2, 0), "ab", 2.0):
        with zoo_error(f"window must be a positive integer or a pair of them, got {value!r}."):
            pool(x, value)
        with zoo_error(f"strides must be a positive integer or a pair of them, got {value!r}."):
            pool(x, 2, value)


@both
def test_integers_are_refused(pool: Any, reduce: Any) -> None:  # noqa: ARG001
    """The docstring asks for floating point: pixels must have been scaled by then."""
    with pytest.raises(ZooError, match=r"x .*int32"):
        pool(jnp.ones((1, 4, 4, 1), jnp.int32))
