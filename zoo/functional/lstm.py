"""The long short-term memory layer."""

from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis
from zoo.functional.activations import activation as activation_named
from zoo.functional.cudnn_lstm import cudnn_lstm, suits_cudnn
from zoo.functional.fused_cells import lstm_cell
from zoo.functional.fused_recurrence import fused_recurrence
from zoo.functional.recurrence import RecurrentParams, check_sequence, initial_state, scan_time
from zoo.functional.recurrence_ways import fastest_way


class LSTMState(NamedTuple):
    """The output `h [B, H]` and the cell `c [B, H]`."""

    h: Array
    c: Array


def lstm_step(
    params: RecurrentParams,
    state: LSTMState,
    x_t: Array,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
) -> tuple[LSTMState, Array]:
    """One step, with σ the recurrent activation and φ the activation.

    `[i, f, g, o] = x_t · kernel + h · recurrent_kernel + bias`, four blocks of `H` columns;
    `c' = σ(f) · c + σ(i) · φ(g)`; `h' = σ(o) · φ(c')`.

    Keras calls the third block c, for candidate cell. There is no peephole and one bias.

    Args:
        params: kernel `[in, 4H]`, recurrent_kernel `[H, 4H]`, bias `[4H]` or None.
        state: `h` and `c`, each `[B, H]`.
        x_t: `[B, in]`.
        activation: φ, a name that `activation` knows.
        recurrent_activation: σ, likewise.

    Returns:
        `(LSTMState(h', c'), h')`.
    """
    phi, sigma = activation_named(activation), activation_named(recurrent_activation)
    gates = jnp.matmul(x_t, params.kernel) + jnp.matmul(state.h, params.recurrent_kernel)
    if params.bias is not None:
        gates = gates + along_last_axis(params.bias, gates.ndim)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = sigma(f) * state.c + sigma(i) * phi(g)
    h = sigma(o) * phi(c)
    return LSTMState(h, c), h


def lstm(
    params: RecurrentParams,
    x: Array,
    state: LSTMState | None = None,
    *,
    mask: Array | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    reverse: bool = False,
) -> tuple[Array, LSTMState]:
    """`lstm_step` along time.

    Args:
        params: as in `lstm_step`.
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

    Source: Hochreiter and Schmidhuber, 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with
    the forget gate of Gers et al., 2000; conventions of Keras.
    """
    check_sequence(params, 4, (4 * params.units,), x, mask)
    if state is not None and not isinstance(state, tuple):
        raise ZooError(f"state must be an LSTMState(h, c), got {type(state).__name__}.")
    h, c = (None, None) if state is None else state
    start = LSTMState(
        initial_state("state.h", params, x, h), initial_state("state.c", params, x, c)
    )
    loop = partial(_loop_of_xla, activation=activation, recurrent_activation=recurrent_activation)
    if suits_cudnn(params, start, x, activation, recurrent_activation):
        # Which device a program is for is known only when it is compiled.
        by_cudnn, by_xla = partial(cudnn_lstm, loop, reverse), partial(loop, reverse=reverse)
        outputs, last = lax.platform_dependent(
            params, tuple(start), x, mask, cuda=by_cudnn, default=by_xla
        )
    else:
        outputs, last = loop(params, tuple(start), x, mask, reverse=reverse)
    return outputs, LSTMState(*last)


def _loop_of_xla(
    params: RecurrentParams,
    start: tuple[Array, ...],
    x: Array,
    mask: Array | None,
    *,
    activation: str,
    recurrent_activation: str,
    reverse: bool = False,
) -> tuple[Array, tuple[Array, ...]]:
    way = fastest_way(params, x, activation, recurrent_activation)
    if way != "scan":
        cell = lstm_cell(activation, recurrent_activation)
        return fused_recurrence(cell, params, start, x, mask=mask, reverse=reverse, way=way)
    step = partial(
        lstm_step, params, activation=activation, recurrent_activation=recurrent_activation
    )
    outputs, last = scan_time(
        step, lambda state: state.h, LSTMState(*start), x, mask=mask, reverse=reverse
    )
    return outputs, tuple(last)
