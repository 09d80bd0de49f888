"""Masks, states and directions of the recurrent layers, against rows cut to their length."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tests.functional.cases import zoo_error
from zoo import functional as F
from zoo.layers import GRU, LSTM, Bidirectional, SimpleRNN
from zoo.layers.recurrent import Recurrent

RNG = np.random.default_rng(0)
LENGTHS = (5, 2, 4)
X = RNG.normal(size=(3, 5, 2)).astype(np.float32)
MASK = np.arange(5) < np.array(LENGTHS)[:, None]
kinds = pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU])


@pytest.fixture(autouse=True)
def _step_by_step() -> Iterator[None]:
    """Rows of all lengths would each be compiled anew."""
    with jax.disable_jit():
        yield


def made(kind, seed=1, **options):
    with jax.disable_jit(False):  # initialisers are made of many small steps
        return kind(2, 3, rngs=nnx.Rngs(seed), **options)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def by_row(layer, reverse=False):
    """What the layer gives each row without its padding: the outputs, in the input's order."""
    rows = []
    for x, length in zip(X, LENGTHS, strict=True):
        kept = x[None, :length]
        outputs = np.asarray(layer(kept[:, ::-1] if reverse else kept))[0]
        rows.append(outputs[::-1] if reverse else outputs)
    return rows


@kinds
def test_with_a_mask_the_last_output_is_that_of_the_last_kept_step(kind):
    rows = by_row(made(kind, return_sequences=True))
    close(made(kind)(X, mask=MASK), np.stack([row[-1] for row in rows]))


@kinds
def test_with_a_mask_kept_steps_are_those_of_the_row_alone(kind):
    layer = made(kind, return_sequences=True)
    outputs = layer(X, mask=MASK)
    for output, row, length in zip(outputs, by_row(layer), LENGTHS, strict=True):
        close(output[:length], row)
        close(output[length:], np.broadcast_to(row[-1:], (5 - length, 3)))  # repeated


@kinds
def test_backwards_is_the_reversed_sequence_in_the_order_of_processing(kind):
    backwards = made(kind, return_sequences=True, go_backwards=True)
    forwards = made(kind, return_sequences=True)
    close(backwards(X), forwards(X[:, ::-1]))
    close(backwards(X, mask=MASK), forwards(X[:, ::-1], mask=MASK[:, ::-1]))
    close(made(kind, go_backwards=True)(X), forwards(X[:, ::-1])[:, -1])


@kinds
def test_a_state_carries_on_from_where_it_was_left(kind):
    layer = made(kind, return_sequences=True)
    _, state = layer.function(layer.params, X[:, :3])
    close(layer(X[:, 3:], initial_state=state), layer(X)[:, 3:])
    close(made(kind)(X[:, 3:], initial_state=state), layer(X)[:, -1])


@kinds
@pytest.mark.parametrize("sequences", [False, True])
def test_the_last_state_is_returned_on_request(kind, sequences):
    layer = made(kind, return_sequences=sequences, return_state=True)
    output, *state = layer(X)
    close(output, made(kind, return_sequences=sequences)(X))
    expected = layer.function(layer.params, X)[1]
    for one, other in zip(state, jax.tree.leaves(expected), strict=True):
        close(one, other)


@kinds
@pytest.mark.parametrize("backwards", [False, True])
def test_a_row_without_a_kept_step_gives_zeros_even_from_a_state(kind, backwards):
    h = jnp.ones((3, 3))
    state = F.LSTMState(h, h) if kind is LSTM else h
    layer = made(kind, go_backwards=backwards)
    kept = MASK.copy()
    kept[1] = False
    last = layer(X, mask=kept, initial_state=state)
    np.testing.assert_array_equal(last[1], np.zeros(3))
    assert np.abs(np.asarray(last)[[0, 2]]).min() > 0
    every = made(kind, go_backwards=backwards, return_sequences=True)
    np.testing.assert_array_equal(last, every(X, mask=kept, initial_state=state)[:, -1])


@kinds
@pytest.mark.parametrize("masked", [False, True])
def test_bidirectional_is_its_two_layers(kind, masked):
    """The second one runs over the reversed row, and its outputs are put in order again."""
    options = {"return_sequences": True}
    forward, backward = made(kind, **options), made(kind, seed=2, **options)
    both = Bidirectional(forward, backward)
    if not masked:
        expected = np.concatenate([forward(X), backward(X[:, ::-1])[:, ::-1]], axis=-1)
        close(both(X), expected)
        return
    outputs = both(X, mask=MASK)
    rows = zip(by_row(forward), by_row(backward, reverse=True), strict=True)
    for output, (ahead, back), length in zip(outputs, rows, LENGTHS, strict=True):
        close(output[:length], np.concatenate([ahead, back], axis=-1))
        np.testing.assert_array_equal(output[length:], 0)  # as in Keras


@kinds
def test_bidirectional_gives_the_last_output_of_each_direction(kind):
    forward, backward = made(kind), made(kind, seed=2)
    both = Bidirectional(forward, backward)
    close(both(X), np.concatenate([forward(X), backward(X[:, ::-1])], axis=-1))
    rows = [
        np.concatenate([forward(x[None, :n])[0], backward(x[None, :n][:, ::-1])[0]])
        for x, n in zip(X, LENGTHS, strict=True)
    ]
    close(both(X, mask=MASK), np.stack(rows))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(
    ("mode", "merge"),
    [
        ("sum", np.add),
        ("mul", np.multiply),
        ("ave", lambda a, b: (a + b) / 2),
        (None, lambda a, b: (a, b)),
    ],
)
def test_merges(mode, merge, sequences):
    forward = made(GRU, return_sequences=sequences)
    backward = made(GRU, seed=2, return_sequences=sequences)
    apart = backward(X[:, ::-1])
    expected = merge(np.asarray(forward(X)), np.asarray(apart[:, ::-1] if sequences else apart))
    actual = Bidirectional(forward, backward, merge_mode=mode)(X)
    assert isinstance(actual, tuple) == (mode is None)
    close(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize("sequences", [False, True])
def test_the_two_layers_of_bidirectional_may_differ(sequences):
    forward = made(LSTM, activation="relu", return_sequences=sequences)
    backward = made(GRU, return_sequences=sequences)
    apart = backward(X[:, ::-1])
    expected = [forward(X), apart[:, ::-1] if sequences else apart]
    close(Bidirectional(forward, backward)(X), np.concatenate(expected, axis=-1))


def test_bidirectional_starts_from_given_states():
    forward, backward = made(SimpleRNN), made(SimpleRNN, seed=2)
    states = jnp.ones((3, 3)), jnp.full((3, 3), -1.0)
    expected = [
        forward(X, initial_state=states[0]),
        backward(X[:, ::-1], initial_state=states[1]),
    ]
    actual = Bidirectional(forward, backward)(X, initial_state=states)
    close(actual, np.concatenate(expected, axis=-1))


def test_layers_of_bidirectional_must_return_alike():
    with zoo_error(
        "forward_layer and backward_layer must have the same return_sequences and return_state, "
        "got {'return_sequences': False, 'return_state': False} and "
        "{'return_sequences': True, 'return_state': False}."
    ):
        Bidirectional(made(LSTM), made(LSTM, return_sequences=True))


def test_bidirectional_refuses_one_layer_twice_a_backward_one_and_an_unknown_merge():
    layer = made(LSTM)
    with zoo_error("backward_layer must have weights of its own, got forward_layer itself."):
        Bidirectional(layer, layer)
    backwards = partial(made, LSTM, go_backwards=True)
    with pytest.raises(ValueError, match="must not have go_backwards"):
        Bidirectional(backwards(), backwards())
    with pytest.raises(ValueError, match="unknown merge 'avg': did you mean 'ave'"):
        Bidirectional(layer, made(LSTM), merge_mode="avg")


def test_a_wrong_mask():
    with pytest.raises(ValueError, match=r"mask must be boolean of shape \(3, 5\)"):
        made(LSTM)(X, mask=MASK.astype(np.int32))


def test_the_base_class_is_not_a_layer():
    options = dict.fromkeys(
        ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask"), False
    )
    with jax.disable_jit(False):
        layer = Recurrent(2, 3, gates=1, bias_shape=None, rngs=nnx.Rngs(1), **options)
    with pytest.raises(TypeError, match="use one of them"):
        layer(X)
