"""The recurrent layers as the tests see them, and random arrays for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo.functional as F
from zoo.errors import ZooError

# Every way in which a row can be masked. True = keep.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 0, 1, 0, 1],  # holes
        [0, 0, 1, 1, 1],  # leading padding
        [1, 1, 1, 0, 0],  # trailing padding
        [0, 1, 0, 1, 0],  # all three
        [0, 0, 0, 0, 0],  # nothing but padding
    ],
    bool,
)
BATCH, STEPS = MASK.shape
INPUTS, UNITS = 3, 4


class Layer(NamedTuple):
    """A recurrent layer, under its name in `reference.CELLS`."""

    name: str
    sequence: Callable[..., Any]
    step: Callable[..., Any]
    gates: int
    reset_after: bool | None = None

    @property
    def options(self) -> dict[str, bool]:
        return {} if self.reset_after is None else {"reset_after": self.reset_after}

    @property
    def has_cell(self) -> bool:
        return self.name in ("lstm", "wang_lstm")

    @property
    def gated(self) -> bool:
        return self.gates > 1

    @property
    def bias_shape(self) -> tuple[int, ...]:
        return (2, self.gates * UNITS) if self.name == "gru" else (self.gates * UNITS,)

    def params(self, rng: np.random.Generator, bias: bool = True) -> F.RecurrentParams:
        """Every entry another number, so that no gate, row or transpose passes for another."""
        return F.RecurrentParams(
            jnp.asarray(rng.normal(0, 0.6, (INPUTS, self.gates * UNITS))),
            jnp.asarray(rng.normal(0, 0.6, (UNITS, self.gates * UNITS))),
            jnp.asarray(rng.normal(0, 0.6, self.bias_shape)) if bias else None,
        )

    def state(self, rng: np.random.Generator, batch: int = BATCH) -> Any:
        h, c = (jnp.asarray(part) for part in rng.normal(0, 0.6, (2, batch, UNITS)))
        return F.LSTMState(h, c) if self.has_cell else h

    def as_state(self, parts: tuple[Any, ...]) -> Any:
        """The reference's tuple as this layer's state."""
        return F.LSTMState(*parts) if self.has_cell else parts[0]

    def as_tuple(self, state: Any) -> tuple[Any, ...]:
        return tuple(state) if self.has_cell else (state,)


LAYERS = (
    Layer("simple_rnn", F.simple_rnn, F.simple_rnn_step, 1),
    Layer("lstm", F.lstm, F.lstm_step, 4),
    Layer("gru", F.gru, F.gru_step, 3, True),
    Layer("gru_reset_before", F.gru, F.gru_step, 3, False),
)
# Its default activation is another one, and no layer of Keras is like it.
WANG_LSTM = Layer("wang_lstm", F.wang_lstm, F.wang_lstm_step, 4)
directions = pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
all_layers = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)


def sequences(rng: np.random.Generator, batch: int = BATCH, steps: int = STEPS) -> jax.Array:
    """Random input `[batch, steps, INPUTS]`."""
    return jnp.asarray(rng.normal(0, 1, (batch, steps, INPUTS)))


# One program of each kind serves every test: shapes never change, and compiling is what is slow.


@cache
def masked(layer: Layer, reverse: bool) -> Any:
    """`(params, x, state, mask)` to `(outputs, state)`, compiled."""
    return jax.jit(
        lambda params, x, state, mask: layer.sequence(
            params, x, state, mask=mask, reverse=reverse, **layer.options
        )
    )


@cache
def unmasked(layer: Layer, reverse: bool) -> Any:
    """`(params, x, state)` to `(outputs, state)`, compiled."""
    return jax.jit(
        lambda params, x, state: layer.sequence(params, x, state, reverse=reverse, **layer.options)
    )


@cache
def one_step(layer: Layer) -> Any:
    """`(params, state, x_t)` to `(state, y_t)`, compiled."""
    return jax.jit(lambda params, state, x_t: layer.step(params, state, x_t, **layer.options))


def cast(tree: Any, dtype: Any) -> Any:
    """The floating-point leaves in `dtype`, the others as they are; NumPy compiles nothing."""

    def one(leaf: Any) -> jax.Array:
        array = np.asarray(leaf)
        floating = jnp.issubdtype(array.dtype, jnp.floating)
        return jnp.asarray(array.astype(jnp.dtype(dtype)) if floating else array)

    return jax.tree.map(one, tree)


@contextmanager
def zoo_error(message: str) -> Iterator[None]:
    """Expects a `ZooError` that says `message` and nothing else."""
    with pytest.raises(ZooError) as raised:
        yield
    assert str(raised.value) == message
