"""A recurrent layer as a loop with a derivative by hand: what is run where it is faster.

The definition is `scan_time` over a layer's step; this computes the same for a layer's `Cell`. It
is one loop over time with two ways to make its products, see `Loop`; which of them suits which
shapes, and what each gains, is written in `recurrence_ways`. The forward pass keeps little, and
the backward pass computes the rest again.

The derivative of a single step is JAX's own, but for the gates, see `_gates`; every activation has
it, and so has the derivative of the derivative, for both passes are plain JAX. A forward-mode
derivative (`jax.jvp`, and `jax.hessian` which uses it) is the scan's alone: here JAX raises a
TypeError that says so, and `jax.jacrev(jax.grad(f))` gives the Hessian.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.functional._arrays import (
    Array,
    at_least_float32,
    product_over_rows,
    rows_of_all_steps,
    side_by_side,
    varying_alike,
)
from zoo.functional.activations import DERIVATIVES_BY_VALUE
from zoo.functional.activations import activation as activation_named
from zoo.functional.fused_cells import Blocks, Cell
from zoo.functional.recurrence import RecurrentParams, outputs_from, zero_before_start
from zoo.functional.recurrence_ways import Way


class Loop(NamedTuple):
    """How the loop makes its products, and in which order it runs."""

    by_units: bool
    """True: arrays `[features, B]`; input and state meet the weights in the loop, as one product,
    and the weights' gradient is summed in it. A block of gates is then one piece of memory with
    long rows, and of all steps only the states are kept: `2 · T · B · H` numbers of an LSTM.

    False: arrays `[B, features]`; the sums are kept, and the input's product and the gradients by
    weights and input are single large products outside of the loop, which run on all cores. The
    bias is added in the loop, where it costs nothing: beside the input's product, or as a 1 beside
    the input, predicting with five layers of 32 SimpleRNN units (batch 32, 100 steps, no mask) took
    1.2 to 1.5 instead of 0.8 to 0.9 ms.
    """
    reverse: bool
    width: int
    """How many numbers a step of the input has."""
    bias: bool
    """Whether the weights have a row for a 1, between the input's and the state's. By units the
    inputs have the 1."""

    @property
    def features(self) -> int:
        """The axis of the features."""
        return 0 if self.by_units else 1

    def parts(self, weights: Array) -> tuple[Array, Array, Array]:
        """The kernel, the bias (nothing where there is none) and the recurrent kernel."""
        kernel, bias, recurrent_kernel = jnp.split(
            weights, (self.width, self.width + self.bias), axis=int(self.by_units)
        )
        return kernel, bias, recurrent_kernel

    def given(self, weights: Array, inputs: Array) -> Array:
        """What the steps are given: by units the inputs, by rows the inputs' part of the sums."""
        if self.by_units:
            return inputs
        sums = rows_of_all_steps(inputs) @ self.parts(weights)[0]
        return jnp.reshape(sums, (*inputs.shape[:2], -1))

    def sums(self, weights: Array) -> Callable[[Array, Array], Array]:
        """What the activations are of: a function of what a step is given and the last output."""
        kernel, bias, recurrent_kernel = self.parts(weights)
        if not self.by_units:
            if self.bias:
                return lambda of_x, h: of_x + h @ recurrent_kernel + bias
            return lambda of_x, h: of_x + h @ recurrent_kernel
        if self.width != 1:
            return lambda x_t, h: weights @ jnp.concatenate((x_t, h))
        # One number a step is cheaper multiplied where the activations are computed: a pass over
        # 1,024 steps of an LSTM (batch 128, 16 units) took 4.9 instead of 5.5 ms. The 1 beside it
        # is not read: with two rows of `x_t`, XLA's loop took 24.
        if self.bias:
            return lambda x_t, h: recurrent_kernel @ h + (kernel * x_t[:1] + bias)
        return lambda x_t, h: recurrent_kernel @ h + kernel * x_t


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
        way: "by_units" or "by_rows".

    Returns:
        The outputs `[B, T, H]` in the order of the input, and the last state.
    """
    state, dtype = tuple(state), state[0].dtype
    weights, x = (lax.convert_element_type(a, dtype) for a in (cell.weights(params), x))
    if mask is not None:
        # What is masked may be anything; it must not meet a gradient of 0, for NaN · 0 is NaN.
        x = jnp.where(mask[..., None], x, jnp.zeros_like(x))
    loop = Loop(way == "by_units", reverse, x.shape[2], params.bias is not None)
    if loop.by_units and loop.bias:
        x = jnp.concatenate((x, jnp.ones_like(x[..., :1])), axis=2)
    keep = None if mask is None else jnp.swapaxes(mask, 0, 1)[..., None]
    inputs = jnp.swapaxes(x, 0, 1)
    weights, inputs, state, keep = varying_alike((weights, inputs, state, keep))
    if loop.by_units:
        weights, inputs, state, keep = jax.tree.map(
            lambda a: jnp.swapaxes(a, -1, -2), (weights, inputs, state, keep)
        )
    outputs, state = _run(cell, loop, weights, inputs, state, keep)
    if loop.by_units:
        outputs, state = jax.tree.map(lambda a: jnp.swapaxes(a, -1, -2), (outputs, state))
    outputs = jnp.swapaxes(outputs, 0, 1)
    return outputs if mask is None else zero_before_start(outputs, mask, reverse), state


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run(
    cell: Cell, loop: Loop, weights: Array, inputs: Array, state: Blocks, keep: Array | None
) -> tuple[Array, Blocks]:
    sums = loop.sums(weights)

    def step(state: Blocks, now: tuple[Array, Array | None]) -> tuple[Blocks, Array]:
        given, keep_t = now
        z = sums(given, state[0])
        state = _advance(cell, loop.features, z, state, keep_t)
        return state, state[0]

    given = loop.given(weights, inputs)
    last, outputs = lax.scan(step, state, (given, keep), reverse=loop.reverse)
    return outputs, last


def _run_and_keep(
    cell: Cell, loop: Loop, weights: Array, inputs: Array, state: Blocks, keep: Array | None
) -> tuple[tuple[Array, Blocks], Any]:
    sums = loop.sums(weights)

    def step(state: Blocks, now: tuple[Array, Array | None]) -> tuple[Blocks, Any]:
        given, keep_t = now
        z = sums(given, state[0])
        new = _advance(cell, loop.features, z, state, keep_t)
        return new, (state, None if loop.by_units else z)

    given = loop.given(weights, inputs)
    last, (before, z) = lax.scan(step, state, (given, keep), reverse=loop.reverse)
    outputs = outputs_from(before[0], last[0], loop.reverse)
    return (outputs, last), (weights, inputs, keep, before, z)


def _derivative(
    cell: Cell, loop: Loop, kept: tuple[Any, ...], of_results: tuple[Array, Blocks]
) -> tuple[Array, Array, Blocks, None]:
    """From gradients by `(outputs, last state)` to those by weights, inputs and state."""
    weights, inputs, keep, before, z = kept
    of_outputs, of_last = of_results
    sums = loop.sums(weights)
    kernel, _, recurrent_kernel = loop.parts(weights)
    turned = weights.T if loop.by_units else recurrent_kernel.T

    def step(carry: tuple[Blocks, Any], now: Any) -> tuple[tuple[Blocks, Any], Array]:
        (of_h, *of_others), of_weights = carry
        x_t, keep_t, state, z_t, of_output = now
        if loop.by_units:
            z_t = sums(x_t, state[0])
        advance = partial(_advance, cell, loop.features)
        _, pull = jax.vjp(lambda z, state: advance(z, state, keep_t), z_t, state)
        of_z, (of_h, *of_others) = pull((of_h + of_output, *of_others))
        if not loop.by_units:
            return ((of_h + of_z @ turned, *of_others), None), of_z
        # Turned: with the gates along the rows, the product of 64 gates of 64 examples by 18
        # took 2.1 instead of 1.6 microseconds.
        of_weights += at_least_float32(jnp.concatenate((x_t, state[0])) @ of_z.T)
        of_x, by_product = jnp.split(turned @ of_z, (x_t.shape[0],))
        return ((of_h + by_product, *of_others), of_weights), of_x

    of_weights = at_least_float32(jnp.zeros_like(turned)) if loop.by_units else None
    x = inputs if loop.by_units else None
    (of_state, of_weights), of_given = lax.scan(
        step, (of_last, of_weights), (x, keep, before, z, of_outputs), reverse=not loop.reverse
    )
    if of_weights is not None:
        return lax.convert_element_type(of_weights.T, weights.dtype), of_given, of_state, None
    of_sums = rows_of_all_steps(of_given)
    rows = [product_over_rows(rows_of_all_steps(a), of_sums) for a in (inputs, before[0])]
    if loop.bias:
        rows.insert(1, jnp.sum(of_given, axis=(0, 1))[None])
    of_inputs = jnp.reshape(of_sums @ kernel.T, inputs.shape)
    return jnp.concatenate(rows), of_inputs, of_state, None


_run.defvjp(_run_and_keep, _derivative)


def _advance(cell: Cell, axis: int, z: Array, state: Blocks, keep: Array | None) -> Blocks:
    """The state after a step, from its sums; features are along `axis`."""
    stepped = cell.mix(_gates(cell, axis, z), state)
    if keep is None:
        return stepped
    return tuple(jnp.where(keep, new, old) for new, old in zip(stepped, state, strict=True))


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _gates(cell: Cell, axis: int, z: Array) -> Blocks:
    """The blocks of gates, from their sums.

    The gates' function is computed at once from its first block to its last, and the result is
    not used where a block between them has another (g of an LSTM with relu): block by block, a
    forward pass of such a layer (batch 32, T = 28, 28 inputs, 128 units) took 2.4 instead of 1.6
    milliseconds.
    """
    return _gates_and_keep(cell, axis, z)[0]


def _gates_and_keep(cell: Cell, axis: int, z: Array) -> tuple[Blocks, tuple[Array, Blocks, Blocks]]:
    names, size = cell.functions, z.shape[axis] // len(cell.functions)
    scaled = z
    if set(cell.scales) != {1.0}:
        scales = np.expand_dims(np.repeat(np.array(cell.scales), size), 1 - axis)
        scaled = z * jnp.asarray(scales, z.dtype)
    sums = _blocks(scaled, size, axis)
    first, last = names.index(cell.gate), len(names) - names[::-1].index(cell.gate)
    piece = lax.slice_in_dim(scaled, first * size, last * size, axis=axis)
    at_once = _blocks(activation_named(cell.gate)(piece), size, axis)
    gates = tuple(
        at_once[k - first] if name == cell.gate else activation_named(name)(sums[k])
        for k, name in enumerate(names)
    )
    return gates, (z, sums, gates)


def _derivative_of_gates(
    cell: Cell, axis: int, kept: tuple[Array, Blocks, Blocks], of_gates: Blocks
) -> tuple[Array]:
    z, sums, gates = kept
    blocks = []
    for name, scale, scaled, gate, of_gate in zip(
        cell.functions, cell.scales, sums, gates, of_gates, strict=True
    ):
        if name in DERIVATIVES_BY_VALUE:  # nothing is computed again
            of_z = of_gate * DERIVATIVES_BY_VALUE[name](gate)
        else:
            (of_z,) = jax.vjp(activation_named(name), scaled)[1](of_gate)
        blocks.append(scale * of_z)
    return (side_by_side(blocks, axis, over=z),)


_gates.defvjp(_gates_and_keep, _derivative_of_gates)


def _blocks(a: Array, size: int, axis: int) -> Blocks:
    """`a` cut along an axis into pieces of one size."""
    return tuple(lax.split(a, [size] * (a.shape[axis] // size), axis))
