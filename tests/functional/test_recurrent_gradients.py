"""Gradients of the recurrent layers: finite differences, and sequences without their padding."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tests.functional.cases import (
    BATCH,
    MASK,
    STEPS,
    UNITS,
    Layer,
    all_layers,
    sequences,
)
from tests.functional.tolerances import assert_close


@all_layers
@pytest.mark.parametrize(
    ("reverse", "mask"), [(False, None), (True, MASK)], ids=["forwards", "backwards-mask"]
)
def test_finite_differences(layer: Layer, reverse: bool, mask: np.ndarray | None) -> None:
    """For the weights, the input and the initial state."""
    rng = np.random.default_rng(1)
    kept = None if mask is None else jnp.asarray(mask)

    def run(params: Any, x: jax.Array, state: Any) -> Any:
        return layer.sequence(params, x, state, mask=kept, reverse=reverse, **layer.options)

    inputs = (layer.params(rng), sequences(rng), layer.state(rng))
    with jax.disable_jit():  # op by op; the compiled gradient is compared with that below
        check_grads(run, inputs, order=1, modes="rev", atol=1e-5, rtol=1e-5)


def loss(
    layer: Layer, reverse: bool, inputs: tuple[Any, jax.Array, Any], mask: Any, weights: Any
) -> jax.Array:
    """A random linear function of the outputs of the kept steps and of the last state."""
    outputs, last = layer.sequence(*inputs, mask=mask, reverse=reverse, **layer.options)
    of_outputs = jnp.sum(jnp.where(mask[..., None], outputs * weights[0], 0))
    return of_outputs + sum(jnp.sum(part * weights[1]) for part in layer.as_tuple(last))


# What follows goes backwards in time, where more can go wrong; one compiled gradient a layer.


@cache
def gradients(layer: Layer) -> Any:
    """`(inputs, mask, weights)` to the gradients for all of `(params, x, state)`, compiled."""
    return jax.jit(jax.grad(lambda inputs, mask, weights: loss(layer, True, inputs, mask, weights)))


def some_inputs(layer: Layer, seed: int) -> tuple[tuple[Any, jax.Array, Any], Any]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(BATCH, STEPS, UNITS)), rng.normal(size=(BATCH, UNITS))
    return (layer.params(rng), sequences(rng), layer.state(rng)), weights


@all_layers
def test_masked_equals_cut_out(layer: Layer) -> None:
    """Masking steps and cutting them out teach the same, and what they held gets no gradient.

    The masked sequence is compiled, the cut one goes op by op.
    """
    (params, x, state), weights = some_inputs(layer, 3)
    kept = np.array([[0, 1, 2], [0, 1, 2], [2, 3, 4], [2, 3, 4], [0, 2, 4], [1, 2, 4]])
    rows = np.arange(BATCH)[:, None]
    mask = np.zeros((BATCH, STEPS), bool)
    mask[rows, kept] = True
    actual = gradients(layer)((params, x, state), mask, weights)
    with jax.disable_jit():
        of_params, of_kept, of_state = jax.grad(
            lambda inputs: loss(
                layer,
                True,
                inputs,
                jnp.ones(kept.shape, bool),
                (weights[0][rows, kept], weights[1]),
            )
        )((params, jnp.asarray(np.asarray(x)[rows, kept]), state))
    of_x = np.zeros(x.shape)
    of_x[rows, kept] = of_kept
    assert_close(actual, (of_params, of_x, of_state))
    np.testing.assert_array_equal(np.asarray(actual[1])[~mask], 0)

    filled = jnp.where(mask[..., None], x, 1000.0)  # saturates every gate
    assert_close(gradients(layer)((params, filled, state), mask, weights), actual)


@all_layers
def test_rows_of_padding_pass_the_state_and_teach_nothing(layer: Layer) -> None:
    inputs, weights = some_inputs(layer, 4)
    nothing = np.zeros((BATCH, STEPS), bool)
    of_params, of_x, of_state = gradients(layer)(inputs, nothing, weights)
    for leaf in jax.tree.leaves((of_params, of_x)):
        np.testing.assert_array_equal(leaf, 0)
    for part in layer.as_tuple(of_state):
        np.testing.assert_array_equal(part, weights[1])
