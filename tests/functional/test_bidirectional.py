"""Both directions at once, against two runs of the reference."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from tests.functional import reference
from tests.functional.cases import BATCH, LAYERS, MASK, Layer, all_layers, sequences, zoo_error
from tests.functional.tolerances import assert_close, assert_same
from zoo.errors import ZooError

LSTM = LAYERS[1]
MERGES: dict[str | None, Any] = {
    "concat": lambda forward, backward: np.concatenate((forward, backward), -1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: 0.5 * forward + 0.5 * backward,
    None: lambda forward, backward: (forward, backward),
}


def some(layer: Layer) -> tuple[F.RecurrentParams, F.RecurrentParams, jax.Array]:
    rng = np.random.default_rng(1)
    return layer.params(rng), layer.params(rng), sequences(rng)


def both(layer: Layer, mask: Any = None, **options: Any) -> tuple[Any, Any, Any]:
    """Outputs forwards, outputs backwards, and the two states."""
    forward_params, backward_params, x = some(layer)
    forward, last = reference.recurrent(layer.name, forward_params, x, mask=mask, **options)
    backward, first = reference.recurrent(
        layer.name, backward_params, x, mask=mask, reverse=True, **options
    )
    return forward, backward, (layer.as_state(last), layer.as_state(first))


@pytest.mark.parametrize("merge", MERGES, ids=str)
@pytest.mark.parametrize("mask", [None, MASK], ids=["no_mask", "mask"])
def test_every_merge(merge: str | None, mask: np.ndarray | None) -> None:
    forward, backward, states = both(LSTM, mask)
    kept = None if mask is None else jnp.asarray(mask)
    with jax.disable_jit():
        actual = F.bidirectional(F.lstm, *some(LSTM), merge=merge, mask=kept)
    assert_close(actual, (MERGES[merge](forward, backward), states))


@all_layers
def test_every_layer(layer: Layer) -> None:
    """With the default merge and the layer's own options passed on."""
    forward, backward, states = both(layer, MASK, activation="softsign")
    with jax.disable_jit():
        actual = F.bidirectional(
            layer.sequence,
            *some(layer),
            mask=jnp.asarray(MASK),
            activation="softsign",
            **layer.options,
        )
    assert_close(actual, (MERGES["concat"](forward, backward), states))


@pytest.mark.parametrize("merge", MERGES, ids=str)
def test_zero_output_for_mask(merge: str | None) -> None:
    """Outputs of masked steps are zeros, whatever the merge; the states stay the same."""
    forward, backward, states = both(LSTM, MASK)
    for outputs in (forward, backward):
        outputs[~MASK] = 0
    with jax.disable_jit():
        actual = F.bidirectional(
            F.lstm, *some(LSTM), merge=merge, mask=jnp.asarray(MASK), zero_output_for_mask=True
        )
    assert_close(actual, (MERGES[merge](forward, backward), states))


def test_zero_output_without_a_mask_is_nothing() -> None:
    with jax.disable_jit():
        assert_same(
            F.bidirectional(F.lstm, *some(LSTM), zero_output_for_mask=True),
            F.bidirectional(F.lstm, *some(LSTM)),
        )


def test_right_padding_starts_at_the_last_kept_step() -> None:
    """The padded batch gives what each row gives by itself, cut to its length."""
    forward_params, backward_params, x = some(LSTM)
    x = np.asarray(x)
    lengths = [5, 1, 3]
    mask = jnp.asarray([[step < length for step in range(5)] for length in lengths])
    with jax.disable_jit():
        whole = F.bidirectional(F.lstm, forward_params, backward_params, x[:3], mask=mask)
        for row, length in enumerate(lengths):
            alone = F.bidirectional(
                F.lstm, forward_params, backward_params, x[row : row + 1, :length]
            )
            outputs, states = jax.tree.map(
                lambda part, row=row: np.asarray(part)[row : row + 1], whole
            )
            assert_close(alone, (outputs[:, :length], states))


def test_merge_directions() -> None:
    rng = np.random.default_rng(2)
    forward, backward = rng.normal(size=(2, BATCH, 4))
    for merge, expected in MERGES.items():
        actual = F.merge_directions(jnp.asarray(forward), jnp.asarray(backward), merge)
        assert_close(actual, expected(forward, backward))


def test_unknown_merge() -> None:
    message = "unknown merge 'average': did you mean 'ave'? Known: ave, concat, mul, sum."
    with zoo_error(message):
        F.merge_directions(jnp.ones(2), jnp.ones(2), "average")
    with zoo_error(message):
        F.bidirectional(F.lstm, *some(LSTM), merge="average")


def test_errors_of_the_layer_come_through() -> None:
    forward_params, backward_params, x = some(LSTM)
    with zoo_error("x must have shape [B, T, in] (3 axes), got shape (5, 3)."):
        F.bidirectional(F.lstm, forward_params, backward_params, x[0])


@pytest.mark.parametrize("merge", ["sum", "mul", "ave"])
@pytest.mark.parametrize("units", [1, 2])
def test_directions_of_different_width_cannot_be_added(merge: str, units: int) -> None:
    """Of width 1, one would be broadcast over the other without a word."""
    with pytest.raises(ZooError, match="forward"):
        F.merge_directions(jnp.ones((BATCH, 4)), jnp.ones((BATCH, units)), merge)
