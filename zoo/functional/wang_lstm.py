"""The recurrent layer of the CNN-RNN: a long short-term memory that feeds back its cell."""

from functools import partial

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis
from zoo.functional.activations import activation as activation_named
from zoo.functional.lstm import LSTMState
from zoo.functional.recurrence import RecurrentParams, check_sequence, initial_state, scan_time


def wang_lstm_step(
    params: RecurrentParams,
    state: LSTMState,
    x_t: Array,
    *,
    activation: str = "relu",
    recurrent_activation: str = "sigmoid",
) -> tuple[LSTMState, Array]:
    """One step, with σ the recurrent activation and φ the activation.

    `[i, f, g, o] = x_t · kernel + c · recurrent_kernel + bias`, four blocks of `H` columns;
    `c' = σ(f) · c + σ(i) · φ(g)`; `h' = σ(o) · c'`.

    Two things differ from `lstm_step`: what is fed back is the cell `c` and not the output, and
    the output is the gated cell itself, without an activation. So `h` is not read.

    Args:
        params: kernel `[in, 4H]`, recurrent_kernel `[H, 4H]`, bias `[4H]` or None.
        state: `h` and `c`, each `[..., H]`.
        x_t: `[..., in]`.
        activation: φ, a name that `activation` knows.
        recurrent_activation: σ, likewise.

    Returns:
        `(LSTMState(h', c'), h')`.
    """
    phi, sigma = activation_named(activation), activation_named(recurrent_activation)
    gates = jnp.matmul(x_t, params.kernel) + jnp.matmul(state.c, params.recurrent_kernel)
    if params.bias is not None:
        gates = gates + along_last_axis(params.bias, gates.ndim)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = sigma(f) * state.c + sigma(i) * phi(g)
    h = sigma(o) * c
    return LSTMState(h, c), h


def wang_lstm(
    params: RecurrentParams,
    x: Array,
    state: LSTMState | None = None,
    *,
    mask: Array | None = None,
    activation: str = "relu",
    recurrent_activation: str = "sigmoid",
    reverse: bool = False,
) -> tuple[Array, LSTMState]:
    """`wang_lstm_step` along time.

    Args:
        params: as in `wang_lstm_step`.
        x: `[B, T, in]`.
        state: the initial `LSTMState`; None means zeros.
        mask: boolean `[B, T]`, True = keep. A masked step keeps the state and repeats the
            previous output (zeros before the first kept step).
        activation: a name that `activation` knows.
        recurrent_activation: likewise.
        reverse: from the last step to the first; outputs stay in the order of the input.

    Returns:
        `(outputs [B, T, H], LSTMState)`.

    Raises:
        ZooError: shapes do not fit together, or an activation is unknown.

    Source: Wang et al., 2016, "CNN-RNN: A Unified Framework for Multi-label Image
    Classification", https://arxiv.org/abs/1604.04573. The paper writes one δ for the
    gates and the candidate and names ReLU; a gate without an upper bound lets the cell grow
    without one too, so here the gates have a sigmoid and the candidate has the ReLU.
    """
    check_sequence(params, 4, (4 * params.units,), x, mask)
    if state is not None and not isinstance(state, tuple):
        raise ZooError(f"state must be an LSTMState(h, c), got {type(state).__name__}.")
    h, c = (None, None) if state is None else state
    return scan_time(
        partial(
            wang_lstm_step,
            params,
            activation=activation,
            recurrent_activation=recurrent_activation,
        ),
        lambda state: state.h,
        LSTMState(initial_state("state.h", params, x, h), initial_state("state.c", params, x, c)),
        x,
        mask=mask,
        reverse=reverse,
    )
