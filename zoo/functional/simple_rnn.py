"""The simple (Elman) recurrent layer."""

from functools import partial

import jax.numpy as jnp

from zoo.functional._arrays import Array, along_last_axis
from zoo.functional.activations import activation as activation_named
from zoo.functional.fused_cells import simple_rnn_cell
from zoo.functional.fused_recurrence import fused_recurrence
from zoo.functional.recurrence import RecurrentParams, check_sequence, initial_state, scan_time
from zoo.functional.recurrence_ways import fastest_way


def simple_rnn_step(
    params: RecurrentParams, state: Array, x_t: Array, *, activation: str = "tanh"
) -> tuple[Array, Array]:
    """One step: `h' = activation(x_t · kernel + h · recurrent_kernel + bias)`.

    Args:
        params: kernel `[in, H]`, recurrent_kernel `[H, H]`, bias `[H]` or None.
        state: `h [B, H]`.
        x_t: `[B, in]`.
        activation: a name that `activation` knows.

    Returns:
        `(h', h')`: the new state, which is also the output.
    """
    total = jnp.matmul(x_t, params.kernel) + jnp.matmul(state, params.recurrent_kernel)
    if params.bias is not None:
        total = total + along_last_axis(params.bias, total.ndim)
    h = activation_named(activation)(total)
    return h, h


def simple_rnn(
    params: RecurrentParams,
    x: Array,
    state: Array | None = None,
    *,
    mask: Array | None = None,
    activation: str = "tanh",
    reverse: bool = False,
) -> tuple[Array, Array]:
    """`simple_rnn_step` along time.

    Args:
        params: as in `simple_rnn_step`.
        x: `[B, T, in]`.
        state: the initial `h [B, H]`; None means zeros.
        mask: boolean `[B, T]`, True = keep. A masked step keeps the state and repeats the
            previous output (zeros before the first kept step).
        activation: a name that `activation` knows.
        reverse: from the last step to the first; outputs stay in the order of the input.

    Returns:
        `(outputs [B, T, H], h [B, H])`.

    Raises:
        ZooError: shapes do not fit together, or the activation is unknown.

    Source: Elman, 1990, https://doi.org/10.1207/s15516709cog1402_1; conventions of Keras.
    """
    check_sequence(params, 1, (params.units,), x, mask)
    start = initial_state("state", params, x, state)
    way = fastest_way(params, x, activation)
    if way != "scan":
        cell = simple_rnn_cell(activation)
        outputs, (last,) = fused_recurrence(
            cell, params, (start,), x, mask=mask, reverse=reverse, way=way
        )
        return outputs, last
    return scan_time(
        partial(simple_rnn_step, params, activation=activation),
        lambda h: h,
        start,
        x,
        mask=mask,
        reverse=reverse,
    )
