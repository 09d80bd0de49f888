"""Every activation against its formula, near zero, far out and in its gradient."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional.cases import zoo_error
from tests.functional.reference import ACTIVATIONS
from tests.functional.tolerances import assert_close

each = pytest.mark.parametrize("name", ACTIVATIONS)
KNOWN = (
    "elu, exponential, gelu, hard_sigmoid, hard_sigmoid_keras2, hard_silu, leaky_relu, linear, "
    "log_softmax, mish, relu, relu6, selu, sigmoid, silu, softmax, softplus, softsign, swish, tanh"
)


each_type = pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])

# Both sides of every kink (0, ±2.5, ±3, 6), the kinks themselves, and far out.
POINTS = (
    np.random.default_rng(0)
    .permutation(np.concatenate((np.linspace(-8, 8, 65), [-1000, -50, 50, 80])))
    .reshape(3, 23)
)
WEIGHTS = np.random.default_rng(1).normal(size=POINTS.shape)


@cache
def computed(dtype: str) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Of every activation the values, and the gradient of their sum by `WEIGHTS`."""

    def both(name: str, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, pull_back = jax.vjp(F.activation(name), x)
        return y, pull_back(jnp.asarray(WEIGHTS, dtype))[0]

    program = jax.jit(lambda x: {name: both(name, x) for name in ACTIVATIONS})
    return program(jnp.asarray(POINTS, dtype))


@each
@each_type
def test_values(name: str, dtype: str) -> None:
    y, _ = computed(dtype)[name]
    assert y.dtype == dtype
    expected = ACTIVATIONS[name](np.asarray(jnp.asarray(POINTS, dtype), np.float64))
    if name == "exponential":  # from e⁻⁸ to e⁸⁰
        scale = np.maximum(expected, 1)
        y, expected = jnp.asarray(np.asarray(y, np.float64) / scale, dtype), expected / scale
    assert_close(y, expected)


@each
@each_type
def test_gradients_are_finite_everywhere(name: str, dtype: str) -> None:
    _, gradient = computed(dtype)[name]
    assert gradient.dtype == dtype
    assert np.isfinite(np.asarray(gradient, np.float64)).all()


@each
def test_gradients(name: str) -> None:
    """Central differences of the formula, away from the kinks."""
    _, gradient = computed("float64")[name]
    step = 1e-5
    for place in np.ndindex(*POINTS.shape):
        x = POINTS[place]
        if x in (-3, -2.5, 0, 2.5, 3, 6) or (name == "exponential" and x > 8):
            continue
        move = np.zeros(POINTS.shape)
        move[place] = step
        difference = ACTIVATIONS[name](POINTS + move) - ACTIVATIONS[name](POINTS - move)
        row = place[0]
        expected = np.sum(WEIGHTS[row] * difference[row]) / (2 * step)
        np.testing.assert_allclose(gradient[place], expected, rtol=1e-6, atol=1e-8)


def test_constants_of_keras_3() -> None:
    """Digits copied by hand, in case the reference made the same mistake."""
    at_minus_one = {
        "elu": -0.6321205588285577,
        "selu": -1.1113307378125625,
        "gelu": -0.15865525393145707,
        "hard_sigmoid": 1 / 3,
        "leaky_relu": -0.2,
        "softplus": 0.31326168751822286,
        "softsign": -0.5,
        "swish": -0.2689414213699951,
    }
    for name, expected in at_minus_one.items():
        np.testing.assert_allclose(F.activation(name)(jnp.array([-1.0])), [expected], rtol=1e-12)


def test_softmax_is_over_the_last_axis() -> None:
    y = F.activation("softmax")(jnp.asarray(POINTS))
    np.testing.assert_allclose(np.sum(y, axis=-1), np.ones(3), rtol=1e-12)
    np.testing.assert_array_equal(F.activation("softmax")(jnp.array([[1e4, 0.0]])), [[1, 0]])


def test_none_is_linear() -> None:
    x = jnp.asarray(POINTS)
    np.testing.assert_array_equal(F.activation(None)(x), x)


def test_unknown() -> None:
    with zoo_error(
        f"unknown activation 'rellu': did you mean 'relu' or 'relu6' or 'elu'? Known: {KNOWN}."
    ):
        F.activation("rellu")
    with zoo_error(f"unknown activation 'quux'. Known: {KNOWN}."):
        F.activation("quux")
    with zoo_error(f"unknown activation '3'. Known: {KNOWN}."):
        F.activation(3)  # type: ignore[arg-type]
    with zoo_error(f"unknown activation '[]'. Known: {KNOWN}."):
        F.activation([])  # type: ignore[arg-type]
