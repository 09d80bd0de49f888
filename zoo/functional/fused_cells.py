"""The recurrent layers in the shape that the fused loop runs: one product and what follows it.

A step of each layer is written here as

`z = [x_t, 1, h] · weights`, `gates = functions(scales · z)` (one function and one number for each
block of H columns), `state' = mix(gates, state)`,

where `weights` is made of the layer's own kernel, bias and recurrent kernel. A sigmoid is
`σ(z) = ½ · tanh(½ · z) + ½`, so that all gates with a sigmoid or a tanh are one tanh over
neighbouring columns.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np

from zoo.functional._arrays import Array
from zoo.functional.activations import activation as activation_named
from zoo.functional.recurrence import RecurrentParams

Blocks: TypeAlias = tuple[Array, ...]


class Cell(NamedTuple):
    """One step of a layer; see the module."""

    weights: Callable[[RecurrentParams], Array]
    """The parameters as `[in + 1 + H, blocks · H]` (without the 1 where there is no bias)."""
    gate: str
    """The activation of the gates, or of the only block, by name."""
    functions: tuple[str, ...]
    """The activation of each block of H columns, by name."""
    scales: tuple[float, ...]
    """What each block of the sums is multiplied by before that."""
    mix: Callable[[Blocks, Blocks], Blocks]
    """`(gates, state)` to the new state, whose first part is the output."""


@cache
def simple_rnn_cell(activation: str) -> Cell:
    """`simple_rnn_step`: one block, which is the new state."""
    return Cell(_stacked, activation, (activation,), (1.0,), lambda gates, _: gates)


@cache
def lstm_cell(activation: str, recurrent_activation: str) -> Cell:
    """`lstm_step`, whose loop has the layer's own weights, blocks i, f, g, o.

    Scaled or in another order they would be written anew for each batch, in small operations that
    XLA spreads over threads: predicting 128 images with `mnist_lstm` on two devices took 2.8
    instead of 1.9 ms, and 32 with `fashion_mnist_lstm`, whose g is a relu, 3.0 instead of 2.4.
    """
    phi = activation_named(activation)
    gate, scale, opened = _gate(recurrent_activation)

    def mix(gates: Blocks, state: Blocks) -> Blocks:
        i, f, g, o = gates
        c = opened(f) * state[1] + opened(i) * g
        return opened(o) * phi(c), c

    functions, scales = (gate, gate, activation, gate), (scale, scale, 1.0, scale)
    return Cell(_stacked, gate, functions, scales, mix)


@cache
def gru_cell(activation: str, recurrent_activation: str) -> Cell:
    """`gru_step` with `reset_after`, with the blocks x, z, r, h.

    Blocks x and h are what x alone and h alone add to the candidate. The weights are written anew
    in any case, so they are scaled then: in the loop, a gradient (batch 64, T = 512, 16 units) took
    13.6 instead of 12.8 ms.
    """
    phi = activation_named(activation)
    gate, scale, opened = _gate(recurrent_activation)

    def weights(params: RecurrentParams) -> Array:
        units = params.units
        rows = [
            _blocks(params.kernel, units, (2, 0, 1, None)),
            _blocks(params.recurrent_kernel, units, (None, 0, 1, 2)),
        ]
        if params.bias is not None:
            of_x, of_h = (jnp.asarray(row)[None] for row in params.bias)
            of_both = _blocks(of_x, units, (2, 0, 1, None)) + _blocks(of_h, units, (None, 0, 1, 2))
            rows.insert(1, of_both)
        scales = np.repeat(np.array((1, scale, scale, 1)), units)[None]
        return jnp.concatenate(rows) * jnp.asarray(scales, params.kernel.dtype)

    def mix(gates: Blocks, state: Blocks) -> Blocks:
        x, z, r, h = gates
        kept = opened(z)
        return (kept * state[0] + (1 - kept) * phi(x + opened(r) * h),)

    functions, scales = ("linear", gate, gate, "linear"), (1.0, 1.0, 1.0, 1.0)
    return Cell(weights, gate, functions, scales, mix)


def _blocks(weights: Array, units: int, order: tuple[int | None, ...]) -> Array:
    """Blocks of `units` columns in another order, with zeros for None."""
    blocks = [weights[:, start : start + units] for start in range(0, weights.shape[1], units)]
    nothing = jnp.zeros_like(blocks[0])
    return jnp.concatenate([nothing if k is None else blocks[k] for k in order], axis=1)


def _stacked(params: RecurrentParams) -> Array:
    """Kernel, bias (if any) and recurrent kernel, one above the other."""
    kernel, recurrent_kernel, bias = params
    rows = [kernel, recurrent_kernel] if bias is None else [kernel, bias[None], recurrent_kernel]
    return jnp.concatenate(rows)


def _gate(name: str) -> tuple[str, float, Callable[[Array], Array]]:
    """The function of a gate's block, what its sums are multiplied by, and what comes after."""
    if name == "sigmoid":
        return "tanh", 0.5, lambda gate: 0.5 * gate + 0.5
    return name, 1.0, lambda gate: gate
