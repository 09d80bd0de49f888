"""What stands for cuDNN where there is no GPU: JAX's reference of its LSTM."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import rnn

from zoo.functional import cudnn_lstm

# How many numbers cuDNN keeps for its gradient. Here they are ones, which the gradient is
# multiplied by, so that it is nothing without them.
RESERVED = 7


def install(patch: pytest.MonkeyPatch) -> None:
    """JAX's reference in the place of its calls of cuDNN, and a GPU in that of none."""
    patch.setattr(rnn, "lstm_fwd", _forward)
    patch.setattr(rnn, "lstm_bwd", _backward)
    patch.setattr(cudnn_lstm, "gpu_is_here", lambda: True)
    jax.clear_caches()  # what was traced with other calls


def _reference(arrays: Any, lengths: Any, sizes: Any) -> Any:
    """With NaN wherever cuDNN says nothing, and where it fails."""
    x, h, c, weights = arrays
    inputs, units, layers, dropout, both = sizes
    named = rnn.unpack_lstm_weights(weights, inputs, units, layers, both)
    outputs, h, c = rnn.lstm_ref(x, h, c, *named, lengths, inputs, units, layers, dropout, both)
    fails = (lengths < 1)[:, None]
    outputs = jnp.where(fails[..., None] | _is_padding(x, lengths), jnp.nan, outputs)
    return outputs, jnp.where(fails, jnp.nan, h), jnp.where(fails, jnp.nan, c)


def _is_padding(x: Any, lengths: Any) -> Any:
    return (jnp.arange(x.shape[1], dtype=lengths.dtype)[None] >= lengths[:, None])[..., None]


def _forward(x: Any, h: Any, c: Any, weights: Any, lengths: Any, *sizes: Any) -> Any:
    results = _reference((x, h, c, weights), lengths, sizes[:5])
    return results, (x, h, c, weights, lengths, results[0], jnp.ones(RESERVED, x.dtype))


def _backward(*sizes_kept_gradients: Any) -> Any:
    *sizes, _, kept, gradients = sizes_kept_gradients
    *arrays, lengths, _, reserved = kept
    assert reserved.shape == (RESERVED,)
    _, pull = jax.vjp(lambda *arrays: _reference(arrays, lengths, sizes), *arrays)
    of_x, *others = (gradient * reserved[-1] for gradient in pull(gradients))
    of_x = jnp.where(_is_padding(arrays[0], lengths), jnp.nan, of_x)
    return of_x, *others, jnp.zeros_like(lengths)
