"""The recurrent layers in the shape that the fused loop runs: one product and what follows it.

A step of each layer is written here as

`z = [x_t, 1, h] · weights`, `gates = functions(z)` (one function for each block of H columns),
`state' = mix(gates, state)`,

where `weights` is made of the layer's own kernel, bias and recurrent kernel. A sigmoid is
`σ(z) = ½ · tanh(½ · z) + ½`: the inner half is multiplied into the weights once, so that in the
loop all gates with a sigmoid or a tanh are one tanh over neighbouring columns.
"""

from collections.abc import Callable, Sequence
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
    functions: tuple[str, ...]
    """The activation of each block of H columns, by name."""
    mix: Callable[[Blocks, Blocks], Blocks]
    """`(gates, state)` to the new state, whose first part is the output."""


@cache
def simple_rnn_cell(activation: str) -> Cell:
    """`simple_rnn_step`: one block, which is the new state."""
    return Cell(_stacked, (activation,), lambda gates, _: gates)


@cache
def lstm_cell(activation: str, recurrent_activation: str) -> Cell:
    """`lstm_step`, with the blocks in the order i, f, o, g."""
    phi = activation_named(activation)
    gate, scale, opened = _gate(recurrent_activation)

    def weights(params: RecurrentParams) -> Array:
        i, f, g, o = jnp.split(_stacked(params), 4, axis=1)
        return _scaled((i, f, o, g), (scale, scale, scale, 1))

    def mix(gates: Blocks, state: Blocks) -> Blocks:
        i, f, o, g = gates
        c = opened(f) * state[1] + opened(i) * g
        return opened(o) * phi(c), c

    return Cell(weights, (gate, gate, gate, activation), mix)


@cache
def gru_cell(activation: str, recurrent_activation: str) -> Cell:
    """`gru_step` with `reset_after`, with the blocks x, z, r, h.

    Blocks x and h are what x alone and h alone add to the candidate.
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
        return _scaled(jnp.split(jnp.concatenate(rows), 4, axis=1), (1, scale, scale, 1))

    def mix(gates: Blocks, state: Blocks) -> Blocks:
        x, z, r, h = gates
        kept = opened(z)
        return (kept * state[0] + (1 - kept) * phi(x + opened(r) * h),)

    return Cell(weights, ("linear", gate, gate, "linear"), mix)


def _blocks(weights: Array, units: int, order: tuple[int | None, ...]) -> Array:
    """Blocks of `units` columns in another order, with zeros for None."""
    blocks = [weights[:, start : start + units] for start in range(0, weights.shape[1], units)]
    nothing = jnp.zeros_like(blocks[0])
    return jnp.concatenate([nothing if k is None else blocks[k] for k in order], axis=1)


def _scaled(blocks: Sequence[Array], scales: tuple[float, ...]) -> Array:
    """Blocks side by side, each times its number; in one go, for there is less to compile."""
    row = np.repeat(np.array(scales), blocks[0].shape[1])
    return jnp.concatenate(blocks, axis=1) * jnp.asarray(row, blocks[0].dtype)[None]


def _stacked(params: RecurrentParams) -> Array:
    """Kernel, bias (if any) and recurrent kernel, one above the other."""
    kernel, recurrent_kernel, bias = params
    rows = [kernel, recurrent_kernel] if bias is None else [kernel, bias[None], recurrent_kernel]
    return jnp.concatenate(rows)


def _gate(name: str) -> tuple[str, float, Callable[[Array], Array]]:
    """The function of a gate's block, what its weights are multiplied by, and what comes after."""
    if name == "sigmoid":
        return "tanh", 0.5, lambda gate: 0.5 * gate + 0.5
    return name, 1.0, lambda gate: gate
