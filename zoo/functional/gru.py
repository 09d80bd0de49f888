"""The gated recurrent unit layer."""

from functools import partial

import jax.numpy as jnp

from zoo.errors import ZooError
from zoo.functional._arrays import Array, along_last_axis
from zoo.functional.activations import DERIVATIVES_BY_VALUE
from zoo.functional.activations import activation as activation_named
from zoo.functional.fused_cells import gru_cell
from zoo.functional.fused_recurrence import fused_recurrence
from zoo.functional.recurrence import RecurrentParams, check_sequence, initial_state, scan_time
from zoo.functional.recurrence_ways import fastest_way
from zoo.functional.wide_gru import Options, wide_gru


def _bias_shape(params: RecurrentParams, reset_after: bool) -> tuple[int, ...]:
    width = 3 * params.units
    return (2, width) if reset_after else (width,)


def gru_step(
    params: RecurrentParams,
    state: Array,
    x_t: Array,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    reset_after: bool = True,
) -> tuple[Array, Array]:
    """One step, with σ the recurrent activation and φ the activation.

    With three blocks of `H` columns z, r, h in each weight (`W` kernel, `U` recurrent_kernel):

    `z = σ(x·W_z + h·U_z + b_z)`, `r = σ(x·W_r + h·U_r + b_r)`, and

    - `reset_after=True`: `g = φ(x·W_h + b_h + r · (h·U_h + u_h))`; the bias is `[2, 3H]`, row 0
      (`b`) with the input and row 1 (`u`) with the recurrent product; z and r take `b + u`.
    - `reset_after=False`: `g = φ(x·W_h + (r · h)·U_h + b_h)`; the bias is `[3H]`.

    `h' = z · h + (1 − z) · g`: where z is 1 the old state is kept.

    Args:
        params: kernel `[in, 3H]`, recurrent_kernel `[H, 3H]`, bias as above or None.
        state: `h [B, H]`.
        x_t: `[B, in]`.
        activation: φ, a name that `activation` knows.
        recurrent_activation: σ, likewise.
        reset_after: whether the reset gate meets the state after its product with `U_h`.

    Returns:
        `(h', h')`: the new state, which is also the output.

    Raises:
        ZooError: the bias is that of the other variant, or an activation is unknown.
    """
    phi, sigma = activation_named(activation), activation_named(recurrent_activation)
    h, units = state, params.units
    if params.bias is not None and params.bias.shape != _bias_shape(params, reset_after):
        raise ZooError(
            f"bias must have shape {_bias_shape(params, reset_after)} with {reset_after=}, got "
            f"shape {params.bias.shape}."
        )
    of_x = jnp.matmul(x_t, params.kernel)
    if params.bias is not None:
        input_bias = params.bias[0] if reset_after else params.bias
        of_x = of_x + along_last_axis(input_bias, of_x.ndim)
    if reset_after:
        of_h = jnp.matmul(h, params.recurrent_kernel)
        if params.bias is not None:
            of_h = of_h + along_last_axis(params.bias[1], of_h.ndim)
        z, r = map(sigma, jnp.split(of_x[..., : 2 * units] + of_h[..., : 2 * units], 2, axis=-1))
        g = phi(of_x[..., 2 * units :] + r * of_h[..., 2 * units :])
    else:
        of_h = jnp.matmul(h, params.recurrent_kernel[:, : 2 * units])
        z, r = map(sigma, jnp.split(of_x[..., : 2 * units] + of_h, 2, axis=-1))
        g = phi(of_x[..., 2 * units :] + jnp.matmul(r * h, params.recurrent_kernel[:, 2 * units :]))
    h = z * h + (1 - z) * g
    return h, h


def gru(
    params: RecurrentParams,
    x: Array,
    state: Array | None = None,
    *,
    mask: Array | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    reset_after: bool = True,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """`gru_step` along time.

    Args:
        params: as in `gru_step`.
        x: `[B, T, in]`.
        state: the initial `h [B, H]`; None means zeros.
        mask: boolean `[B, T]`, True = keep. A masked step keeps the state and repeats the
            previous output (zeros before the first kept step).
        activation: a name that `activation` knows.
        recurrent_activation: likewise.
        reset_after: as in `gru_step`.
        reverse: from the last step to the first; outputs stay in the order of the input.

    Returns:
        `(outputs [B, T, H], h [B, H])`.

    Raises:
        ZooError: shapes do not fit together, or an activation is unknown.

    Source: Cho et al., 2014, https://arxiv.org/abs/1406.1078 (reset before); the variant with
    reset after is cuDNN's; conventions of Keras.
    """
    check_sequence(params, 3, _bias_shape(params, reset_after), x, mask)
    start = initial_state("state", params, x, state)
    way = fastest_way(params, x, activation, recurrent_activation)
    if way == "by_units" and reset_after:
        cell = gru_cell(activation, recurrent_activation)
        outputs, (last,) = fused_recurrence(
            cell, params, (start,), x, mask=mask, reverse=reverse, way=way
        )
        return outputs, last
    differentiable = {activation, recurrent_activation} <= DERIVATIVES_BY_VALUE.keys()
    if way == "by_rows" and reset_after and differentiable:
        options = Options(activation, recurrent_activation, reverse)
        return wide_gru(params, start, x, mask=mask, options=options)
    return scan_time(
        partial(
            gru_step,
            params,
            activation=activation,
            recurrent_activation=recurrent_activation,
            reset_after=reset_after,
        ),
        lambda h: h,
        start,
        x,
        mask=mask,
        reverse=reverse,
    )
