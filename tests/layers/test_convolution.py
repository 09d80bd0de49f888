"""A convolution and the pooling after it, as one call."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.layers import AveragePooling2D, Conv2D, MaxPooling2D
from zoo.layers.interception import intercepted_calls


class Pooled(nnx.Module):
    """The two in one model."""

    def __init__(
        self, pool: AveragePooling2D | MaxPooling2D, activation: str | None, use_bias: bool
    ):
        self.conv = Conv2D(
            2, 3, 3, padding="same", activation=activation, use_bias=use_bias, rngs=nnx.Rngs(0)
        )
        if use_bias:
            self.conv.bias[...] = jnp.array([-1.0, 0.5, 2.0])
        self.pool = pool

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.conv.max_pooled(self.pool, x)


def images() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=(2, 7, 6, 2)), jnp.float32)


@pytest.mark.parametrize(
    ("pool", "activation", "use_bias"),
    [
        (MaxPooling2D(2, padding="same"), "relu", True),
        (MaxPooling2D((3, 2), 2), "relu", True),
        (MaxPooling2D(2), "relu", False),
        (MaxPooling2D(2), "tanh", True),
        (MaxPooling2D(2), None, True),
        (AveragePooling2D(2), "relu", True),
    ],
    ids=["relu", "options", "without bias", "tanh", "linear", "average"],
)
def test_max_pooled_is_one_after_the_other(
    pool: AveragePooling2D | MaxPooling2D, activation: str | None, use_bias: bool
) -> None:
    model, x = Pooled(pool, activation, use_bias), images()
    expected = nnx.jit(lambda model, x: model.pool(model.conv(x)))(model, x)
    np.testing.assert_allclose(nnx.jit(model)(x), expected, rtol=1e-6, atol=1e-6)


def test_who_looks_at_the_calls_sees_both() -> None:
    model, x = Pooled(MaxPooling2D(2), "relu", True), images()
    seen = {}

    def note(path, _, call, args, kwargs):
        seen[path] = call(getattr(model, path), *args, **kwargs)
        return seen[path]

    with intercepted_calls(model, note):
        y = model(x)
    assert list(seen) == ["conv", "pool"]
    assert seen["conv"].shape == (2, 7, 6, 3)
    np.testing.assert_array_equal(y, seen["pool"])
