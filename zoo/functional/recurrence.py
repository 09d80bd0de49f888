"""What the three recurrent layers share: parameters, checks, and the loop over time."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from zoo.errors import ZooError
from zoo.functional._arrays import Array, check_rank, varying_alike

State = TypeVar("State")


class RecurrentParams(NamedTuple):
    """Weights of a recurrent layer of `H` units with `G` gates side by side on the last axis.

    `kernel [in, G·H]` meets the input, `recurrent_kernel [H, G·H]` the previous output, and
    `bias [G·H]` (or None) is added. SimpleRNN has G = 1; LSTM G = 4, in the order i, f, c, o;
    GRU G = 3, in the order z, r, h, and a bias `[2, 3·H]` when it resets after the product.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None

    @property
    def units(self) -> int:
        """H, the width of the state."""
        return self.recurrent_kernel.shape[0]


def check_sequence(
    params: RecurrentParams, gates: int, bias_shape: tuple[int, ...], x: Array, mask: Array | None
) -> None:
    """Raises a `ZooError` unless weights, input `[B, T, in]` and mask `[B, T]` fit together."""
    check_rank("x", x, 3, "[B, T, in]")
    check_rank("kernel", params.kernel, 2, "[in, gates · units]")
    check_rank("recurrent_kernel", params.recurrent_kernel, 2, "[units, gates · units]")
    width = gates * params.units
    expected = ((x.shape[2], width), (params.units, width), bias_shape)
    for name, value, shape in zip(params._fields, params, expected, strict=True):
        if value is not None and value.shape != shape:
            raise ZooError(
                f"{name} must have shape {shape} for x of shape {x.shape} and {params.units} "
                f"units with {gates} gate{'s' if gates > 1 else ''}, got shape {value.shape}."
            )
    if mask is not None and (mask.shape != x.shape[:2] or mask.dtype != jnp.bool_):
        raise ZooError(
            f"mask must be boolean of shape {x.shape[:2]} (True = keep) for x of shape "
            f"{x.shape}, got {mask.dtype} of shape {mask.shape}."
        )


def initial_state(name: str, params: RecurrentParams, x: Array, state: Array | None) -> Array:
    """`state [B, H]` (an argument called `name`) or zeros, in the type of the recurrence."""
    shape = (x.shape[0], params.units)
    dtype = jnp.promote_types(x.dtype, params.kernel.dtype)
    if state is None:
        return jnp.zeros(shape, dtype)
    if state.shape != shape:
        raise ZooError(f"{name} must have shape {shape}, got shape {state.shape}.")
    return lax.convert_element_type(state, dtype)


def scan_time(
    step: Callable[[State, Array], tuple[State, Array]],
    output: Callable[[State], Array],
    state: State,
    x: Array,
    *,
    mask: Array | None,
    reverse: bool,
) -> tuple[Array, State]:
    """Runs `step(state, x_t) -> (state, y_t)` along axis 1 of `x [B, T, in]`: the definition.

    A masked step keeps the state and repeats the previous output. Here an output is always a
    part of its state, `y_t = output(state)`, so keeping the state repeats the output too; only
    the steps before a row's first kept one need care, for they give zeros and not the initial
    state. That is put right after the loop, where it costs one pass instead of one a step.

    Returns:
        The outputs `[B, T, H]` in the order of the input, and the last state.
    """
    state, x_by_time, mask = varying_alike((state, jnp.swapaxes(x, 0, 1), mask))
    if mask is None:
        state, outputs = lax.scan(step, state, x_by_time, reverse=reverse)
        return jnp.swapaxes(outputs, 0, 1), state

    def masked_step(state: State, inputs: tuple[Array, Array]) -> tuple[State, Array]:
        x_t, keep = inputs
        stepped, _ = step(state, x_t)
        state = jax.tree.map(lambda new, old: jnp.where(keep, new, old), stepped, state)
        return state, output(state)

    keep_by_time = jnp.swapaxes(mask, 0, 1)[..., None]
    state, outputs = lax.scan(masked_step, state, (x_by_time, keep_by_time), reverse=reverse)
    return zero_before_start(jnp.swapaxes(outputs, 0, 1), mask, reverse), state


def zero_before_start(outputs: Array, mask: Array, reverse: bool) -> Array:
    """`outputs [B, T, H]` with zeros in the steps before a row's first kept one."""
    started = lax.cummax(jnp.asarray(mask, jnp.int8), axis=1, reverse=reverse) == 1
    return jnp.where(started[..., None], outputs, jnp.zeros_like(outputs))


def outputs_from(before: Array, last: Array, reverse: bool) -> Array:
    """The outputs of all steps, `[T, B, H]`, from the states that steps found and the last one.

    What a step puts out is what the next one finds, so only one of the two has to be kept.
    """
    if reverse:
        return jnp.concatenate((last[None], before[:-1]))
    return jnp.concatenate((before[1:], last[None]))
