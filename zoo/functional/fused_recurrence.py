"""A recurrent layer as a loop with a derivative by hand: what the rule takes where it is faster.

The definition is `scan_time` over a layer's step; this computes the same. What it does otherwise:

- One product a step, `[x_t, 1, h] · weights`, of a `Cell`.
- The forward pass keeps the states alone, or the sums `z` as well; the rest is computed again.
- The weights' gradient is summed in the loop, or made after it by one large product.
- Arrays in the loop are `[features, B]` where units are few: a block of gates is then one piece
  of memory, and processors like long inner rows.

The derivative of a single step is JAX's own, so every activation has it, and so has the derivative
of the derivative: both passes are plain JAX. A forward-mode derivative (`jax.jvp`, and
`jax.hessian`, which uses it) is the definition's alone: here JAX raises a TypeError that says so.
"""

from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.functional._arrays import Array, at_least_float32
from zoo.functional.activations import activation as activation_named
from zoo.functional.fused_cells import Blocks, Cell
from zoo.functional.recurrence import RecurrentParams, zero_before_start
from zoo.functional.recurrence_ways import Way


class Loop(NamedTuple):
    """How a loop is run."""

    by_units: bool
    """Arrays `[features, B]`, weight gradients summed in the loop, only states kept; or arrays
    `[B, features]`, weight gradients after the loop, the sums `z` kept too."""
    reverse: bool

    @property
    def features(self) -> int:
        """The axis of the features."""
        return 0 if self.by_units else 1

    def product(self, operand: Array, weights: Array) -> Array:
        """`operand · weights`, of weights as the loop holds them."""
        return weights @ operand if self.by_units else operand @ weights


def fused_recurrence(
    cell: Cell,
    params: RecurrentParams,
    state: Blocks,
    x: Array,
    *,
    mask: Array | None,
    reverse: bool,
    way: Way,
) -> tuple[Array, Blocks]:
    """`cell` along axis 1 of `x [B, T, in]`, `T ≥ 1`.

    Args:
        cell: the layer.
        params: its weights.
        state: the initial state, arrays `[B, H]`, the output first.
        x: the sequence.
        mask: boolean `[B, T]`, True = keep, or None.
        reverse: from the last step to the first.
        way: "by_units" or "by_rows", see `Loop`.

    Returns:
        The outputs `[B, T, H]` in the order of the input, and the last state.
    """
    by_units = way == "by_units"
    loop = Loop(by_units, reverse)
    dtype = state[0].dtype
    weights, x = (lax.convert_element_type(a, dtype) for a in (cell.weights(params), x))
    if mask is not None:
        # What is masked may be anything; it must not meet a gradient of 0, for NaN · 0 is NaN.
        x = jnp.where(mask[..., None], x, jnp.zeros_like(x))
    if params.bias is not None:
        x = jnp.concatenate((x, jnp.ones_like(x[..., :1])), axis=2)
    if by_units:
        weights, state = weights.T, tuple(part.T for part in state)
    to_loop = (1, 2, 0) if by_units else (1, 0, 2)
    keep = None if mask is None else jnp.transpose(mask[..., None], to_loop)
    outputs, state = _run(cell, loop, weights, jnp.transpose(x, to_loop), state, keep)
    if by_units:
        state = tuple(part.T for part in state)
    outputs = jnp.transpose(outputs, (2, 0, 1) if by_units else (1, 0, 2))
    return outputs if mask is None else zero_before_start(outputs, mask, reverse), state


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run(
    cell: Cell, loop: Loop, weights: Array, inputs: Array, state: Blocks, keep: Array | None
) -> tuple[Array, Blocks]:
    return _run_and_keep(cell, loop, weights, inputs, state, keep)[0]


def _run_and_keep(
    cell: Cell, loop: Loop, weights: Array, inputs: Array, state: Blocks, keep: Array | None
) -> tuple[tuple[Array, Blocks], Any]:
    def step(state: Blocks, now: tuple[Array, Array | None]) -> tuple[Blocks, Any]:
        x_t, keep_t = now
        z = loop.product(_operand(loop, x_t, state), weights)
        return _advance(cell, loop, z, state, keep_t), (state, None if loop.by_units else z)

    last, (before, z) = lax.scan(step, state, (inputs, keep), reverse=loop.reverse)
    # Each step's output is what the next one finds.
    outputs = [before[0][:-1], last[0][None]] if loop.reverse else [before[0][1:], last[0][None]]
    outputs = jnp.concatenate(outputs[::-1] if loop.reverse else outputs)
    return (outputs, last), (weights, inputs, keep, before, z)


def _derivative(
    cell: Cell, loop: Loop, kept: Any, of_results: tuple[Array, Blocks]
) -> tuple[Array, Array, Blocks, None]:
    """From gradients by `(outputs, last state)` to those by weights, inputs and state."""
    weights, inputs, keep, before, z = kept
    of_outputs, of_last = of_results
    size = inputs.shape[1 + loop.features]  # of an input, the 1 included
    of_operand = weights.T if loop.by_units else weights[size:].T

    def step(carry: tuple[Blocks, Any], now: Any) -> tuple[tuple[Blocks, Any], Array]:
        (of_h, *of_others), of_weights = carry
        x_t, keep_t, before_t, z_t, of_output = now
        operand = _operand(loop, x_t, before_t)
        if z_t is None:
            z_t = loop.product(operand, weights)
        _, pull = jax.vjp(lambda z, state: _advance(cell, loop, z, state, keep_t), z_t, before_t)
        of_z, (of_kept_h, *of_others) = pull((of_h + of_output, *of_others))
        if not loop.by_units:
            of_h = of_kept_h + loop.product(of_z, of_operand)
            return ((of_h, *of_others), of_weights), of_z
        of_both = loop.product(of_z, of_operand)
        of_weights = of_weights + at_least_float32(of_z @ operand.T)
        return ((of_kept_h + of_both[size:], *of_others), of_weights), of_both[:size]

    of_weights = at_least_float32(jnp.zeros_like(weights)) if loop.by_units else None
    (of_state, of_weights), of_steps = lax.scan(
        step, (of_last, of_weights), (inputs, keep, before, z, of_outputs), reverse=not loop.reverse
    )
    if loop.by_units:
        return lax.convert_element_type(of_weights, weights.dtype), of_steps, of_state, None
    operands, of_z = _rows(jnp.concatenate((inputs, before[0]), axis=2)), _rows(of_steps)
    of_inputs = jnp.reshape(of_z @ weights[:size].T, inputs.shape)
    return operands.T @ of_z, of_inputs, of_state, None


_run.defvjp(_run_and_keep, _derivative)


def _operand(loop: Loop, x_t: Array, state: Blocks) -> Array:
    return jnp.concatenate((x_t, state[0]), axis=loop.features)


def _rows(a: Array) -> Array:
    """`[T, B, F]` as `[T · B, F]`: a product of two axes at once is half as fast on a CPU."""
    return jnp.reshape(a, (-1, a.shape[2]))


def _advance(cell: Cell, loop: Loop, z: Array, state: Blocks, keep: Array | None) -> Blocks:
    """The state after a step, from its sums."""
    runs = [(name, len(list(group))) for name, group in groupby(cell.functions)]
    gates: list[Array] = []
    for (name, blocks), columns in zip(
        runs, _split(z, tuple(blocks for _, blocks in runs), loop.features), strict=True
    ):
        gates += _split(activation_named(name)(columns), (1,) * blocks, loop.features)
    stepped = cell.mix(tuple(gates), state)
    if keep is None:
        return stepped
    return tuple(jnp.where(keep, new, old) for new, old in zip(stepped, state, strict=True))


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _split(a: Array, parts: tuple[int, ...], axis: int) -> Blocks:
    """`a` cut along an axis into pieces whose lengths are as these numbers.

    The derivative writes the pieces into one array. JAX's own would join them, which XLA's CPU
    compiler does number by number.
    """
    if len(parts) == 1:
        return (a,)
    one = a.shape[axis] // sum(parts)
    return tuple(lax.split(a, [one * part for part in parts], axis))


def _split_and_keep(a: Array, parts: tuple[int, ...], axis: int) -> tuple[Blocks, None]:
    return _split(a, parts, axis), None


def _write(parts: tuple[int, ...], axis: int, _: None, pieces: Blocks) -> tuple[Array]:
    if len(parts) == 1:
        return (pieces[0],)
    shape = list(pieces[0].shape)
    shape[axis] = sum(piece.shape[axis] for piece in pieces)
    whole, start = jnp.zeros(shape, pieces[0].dtype), 0
    for piece in pieces:
        whole = lax.dynamic_update_slice_in_dim(whole, piece, start, axis)
        start += piece.shape[axis]
    return (whole,)


_split.defvjp(_split_and_keep, _write)
