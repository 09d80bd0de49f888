"""SimpleRNN, LSTM and GRU against plain NumPy loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import reference
from tests.functional.cases import (
    BATCH,
    INPUTS,
    LAYERS,
    MASK,
    STEPS,
    UNITS,
    Layer,
    all_layers,
    cast,
    directions,
    masked,
    sequences,
    unmasked,
    zoo_error,
)
from tests.functional.tolerances import assert_close, assert_same
from zoo.errors import ZooError

ROLES = [
    (layer, role)
    for layer in LAYERS
    for role in ("activation", "recurrent_activation")
    if layer.gated or role == "activation"
]
KNOWN = ", ".join(sorted(reference.ACTIVATIONS))


@all_layers
@pytest.mark.parametrize("given", [True, False], ids=["bias-state", "no_bias-no_state"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["no_mask", "mask"])
@directions
def test_sequence(layer: Layer, given: bool, mask: np.ndarray | None, reverse: bool) -> None:
    rng = np.random.default_rng(1)
    params, x = layer.params(rng, bias=given), sequences(rng)
    state = layer.state(rng) if given else None
    expected, expected_last = reference.recurrent(
        layer.name,
        params,
        x,
        layer.as_tuple(state) if given else None,
        mask=mask,
        reverse=reverse,
    )
    if not given:
        with jax.disable_jit():  # op by op: 16 programs less to compile
            actual = layer.sequence(
                params,
                x,
                mask=None if mask is None else jnp.asarray(mask),
                reverse=reverse,
                **layer.options,
            )
    elif mask is None:
        actual = unmasked(layer, reverse)(params, x, state)
    else:
        actual = masked(layer, reverse)(params, x, state, mask)
    assert_close(actual, (expected, layer.as_state(expected_last)))


@all_layers
def test_masked_steps_by_hand(layer: Layer) -> None:
    """The contract's own words about masks, without the reference."""
    rng = np.random.default_rng(2)
    params, x, state = layer.params(rng), sequences(rng), layer.state(rng)
    outputs, last = masked(layer, False)(params, x, state, MASK)
    np.testing.assert_array_equal(outputs[2, :2], 0)  # before the first kept step
    np.testing.assert_array_equal(outputs[5], 0)
    np.testing.assert_array_equal(outputs[1, 1], outputs[1, 0])  # a hole repeats
    np.testing.assert_array_equal(outputs[3, 3:], outputs[3, [2, 2]])
    for after, before in zip(layer.as_tuple(last), layer.as_tuple(state), strict=True):
        np.testing.assert_array_equal(after[5], before[5])  # no kept step: the state is kept
    assert np.abs(np.asarray(outputs)[MASK]).min() > 1e-6


@pytest.mark.parametrize(
    ("layer", "role"), ROLES, ids=[f"{layer.name}-{role}" for layer, role in ROLES]
)
@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_every_activation(layer: Layer, role: str, name: str) -> None:
    rng = np.random.default_rng(3)
    params, x, state = layer.params(rng), sequences(rng, 2, 2), layer.state(rng, 2)
    params = jax.tree.map(lambda leaf: 0.4 * leaf, params)  # or the exponentials overflow
    with jax.disable_jit():  # 112 loops to compile otherwise
        outputs, last = layer.sequence(params, x, state, **{role: name}, **layer.options)
    expected, expected_last = reference.recurrent(
        layer.name, params, x, layer.as_tuple(state), **{role: name}
    )
    assert_close((outputs, last), (expected, layer.as_state(expected_last)))


@all_layers
def test_step(layer: Layer) -> None:
    rng = np.random.default_rng(4)
    params, x, state = layer.params(rng), sequences(rng, steps=1), layer.state(rng)
    new_state, y = layer.step(params, state, x[:, 0], **layer.options)
    expected, expected_last = reference.recurrent(layer.name, params, x, layer.as_tuple(state))
    assert_close((new_state, y), (layer.as_state(expected_last), expected[:, 0]))


def test_gru_resets_after_the_product_by_default() -> None:
    layer = LAYERS[2]
    rng = np.random.default_rng(5)
    params, x = layer.params(rng), sequences(rng)
    expected, expected_last = reference.recurrent("gru", params, x)
    assert_close(F.gru(params, x), (expected, expected_last[0]))
    assert_close(F.gru_step(params, jnp.zeros((BATCH, UNITS)), x[:, 0])[1], expected[:, 0])


@all_layers
def test_no_steps_keep_the_state(layer: Layer) -> None:
    rng = np.random.default_rng(6)
    params, x, state = layer.params(rng), sequences(rng, 2, 0), layer.state(rng, 2)
    mask = jnp.ones((2, 0), bool)
    outputs, last = layer.sequence(params, x, state, mask=mask, **layer.options)
    assert_same((outputs, last), (np.zeros((2, 0, UNITS)), state))


@all_layers
def test_no_rows(layer: Layer) -> None:
    rng = np.random.default_rng(7)
    params, x, state = layer.params(rng), sequences(rng, 0), layer.state(rng, 0)
    with jax.disable_jit():
        outputs, last = layer.sequence(
            params, x, state, mask=jnp.ones((0, STEPS), bool), **layer.options
        )
    assert_same((outputs, last), (np.zeros((0, STEPS, UNITS)), state))


@all_layers
def test_narrow_input_meets_wide_weights(layer: Layer) -> None:
    """Under JAX's usual promotion the state takes the wider type, or the scan would not close."""
    rng = np.random.default_rng(8)
    params, x = cast(layer.params(rng), jnp.float32), cast(sequences(rng), jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):
        result = jax.eval_shape(lambda: layer.sequence(params, x, **layer.options))
    assert {leaf.dtype for leaf in jax.tree.leaves(result)} == {jnp.dtype(jnp.float32)}


@all_layers
def test_shapes_that_do_not_fit(layer: Layer) -> None:
    rng = np.random.default_rng(8)
    params, x = layer.params(rng), sequences(rng)
    width = layer.gates * UNITS
    gates = f"{layer.gates} gate{'' if layer.gates == 1 else 's'}"
    fits = f"for x of shape (6, 5, 3) and 4 units with {gates}"

    with zoo_error("x must have shape [B, T, in] (3 axes), got shape (5, 3)."):
        layer.sequence(params, x[0], **layer.options)
    with zoo_error(f"kernel must have shape [in, gates · units] (2 axes), got shape ({width},)."):
        layer.sequence(params._replace(kernel=params.kernel[0]), x, **layer.options)
    with zoo_error(
        f"recurrent_kernel must have shape [units, gates · units] (2 axes), got shape ({UNITS},)."
    ):
        layer.sequence(params._replace(recurrent_kernel=jnp.ones(UNITS)), x, **layer.options)
    with zoo_error(f"kernel must have shape (3, {width}) {fits}, got shape (2, {width})."):
        layer.sequence(params._replace(kernel=params.kernel[1:]), x, **layer.options)
    with zoo_error(
        f"recurrent_kernel must have shape (4, {width}) {fits}, got shape (4, {width - 1})."
    ):
        narrow = params._replace(recurrent_kernel=params.recurrent_kernel[:, 1:])
        layer.sequence(narrow, x, **layer.options)
    with zoo_error(f"bias must have shape {layer.bias_shape} {fits}, got shape (1,)."):
        layer.sequence(params._replace(bias=jnp.ones(1)), x, **layer.options)


def test_each_gru_refuses_the_bias_of_the_other() -> None:
    rng = np.random.default_rng(9)
    after, before = LAYERS[2].params(rng), LAYERS[3].params(rng)
    x = sequences(rng)
    fits = "for x of shape (6, 5, 3) and 4 units with 3 gates"
    with zoo_error(f"bias must have shape (2, 12) {fits}, got shape (12,)."):
        F.gru(before, x)
    with zoo_error(f"bias must have shape (12,) {fits}, got shape (2, 12)."):
        F.gru(after, x, reset_after=False)


def test_each_gru_step_refuses_the_bias_of_the_other() -> None:
    """Otherwise one number of `[3H]` would be added everywhere, or the batch would grow an axis."""
    rng = np.random.default_rng(9)
    after, before = LAYERS[2].params(rng), LAYERS[3].params(rng)
    state, x_t = jnp.zeros((2, UNITS)), jnp.ones((2, INPUTS))
    with pytest.raises(ZooError, match="bias"):
        F.gru_step(before, state, x_t)
    with pytest.raises(ZooError, match="bias"):
        F.gru_step(after, state, x_t, reset_after=False)


@all_layers
def test_bad_mask(layer: Layer) -> None:
    rng = np.random.default_rng(10)
    params, x = layer.params(rng), sequences(rng)
    expected = "mask must be boolean of shape (6, 5) (True = keep) for x of shape (6, 5, 3), got "
    with zoo_error(expected + "float64 of shape (6, 5)."):
        layer.sequence(params, x, mask=jnp.ones((BATCH, STEPS)), **layer.options)
    with zoo_error(expected + "bool of shape (5, 6)."):
        layer.sequence(params, x, mask=jnp.ones((STEPS, BATCH), bool), **layer.options)
    with zoo_error(expected + "bool of shape (6, 5, 1)."):
        layer.sequence(params, x, mask=jnp.ones((BATCH, STEPS, 1), bool), **layer.options)


@all_layers
def test_bad_state(layer: Layer) -> None:
    rng = np.random.default_rng(11)
    params, x, state = layer.params(rng), sequences(rng), layer.state(rng)
    for number, part in enumerate(layer.as_tuple(state)):
        name = ("state.h", "state.c")[number] if layer.name == "lstm" else "state"
        parts = list(layer.as_tuple(state))
        parts[number] = part[:1]
        with zoo_error(f"{name} must have shape (6, 4), got shape (1, 4)."):
            layer.sequence(params, x, layer.as_state(tuple(parts)), **layer.options)


def test_lstm_given_the_state_of_another_layer() -> None:
    rng = np.random.default_rng(12)
    with pytest.raises(ZooError, match="state"):
        F.lstm(LAYERS[1].params(rng), sequences(rng), LAYERS[2].state(rng))


@all_layers
def test_unknown_activation(layer: Layer) -> None:
    rng = np.random.default_rng(13)
    params, x = layer.params(rng), sequences(rng)
    with zoo_error(f"unknown activation 'tahn': did you mean 'tanh'? Known: {KNOWN}."):
        layer.sequence(params, x, activation="tahn", **layer.options)
    if layer.gated:
        with zoo_error(
            "unknown activation 'hard_sigmoi': did you mean 'hard_sigmoid' or "
            "'hard_sigmoid_keras2' or 'hard_silu'? "
            f"Known: {KNOWN}."
        ):
            layer.sequence(params, x, recurrent_activation="hard_sigmoi", **layer.options)
