"""The shape of every tensor of a model, worked out without computing anything."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.keras.graph import Tensor
from zoo.keras.masks import NEWEST
from zoo.keras.model import run_graph
from zoo.keras.slots import Parts

# A size that is not known stands in as either of these; what differs between the two depends on
# it, and is not known either. Large enough for any window.
_STAND_INS = (1024, 1536)


def tensor_specs(parts: Parts) -> dict[Tensor, tuple[tuple[int | None, ...], str]]:
    """Shape (None = any size; the batch first) and type of every output of every call."""
    first, second = (_specs(parts, size) for size in _STAND_INS)
    return {
        tensor: (
            (
                None,
                *(
                    one if one == other else None
                    for one, other in zip(spec.shape[1:], second[tensor].shape[1:], strict=True)
                ),
            ),
            str(spec.dtype),
        )
        for tensor, spec in first.items()
    }


def _specs(parts: Parts, size: int) -> dict[Tensor, Any]:
    specs: dict[Tensor, Any] = {}
    # Split, since a model that is only being looked at has no numbers in it.
    halves = {name: nnx.split(layer) for name, layer in parts.layers.items()}

    def run(states: dict[str, Any]) -> None:
        layers = {name: nnx.merge(halves[name][0], state) for name, state in states.items()}
        examples = [
            jnp.zeros((2, *(size if side is None else side for side in spec.shape or ())))
            for spec in parts.graph.inputs
        ]
        values: dict[Tensor, Any] = {}
        run_graph(
            parts.graph,
            lambda call, _: layers[call.layer],
            examples,
            None,
            version=NEWEST,
            seen=values,
        )
        specs.update({t: jax.ShapeDtypeStruct(v.shape, v.dtype) for t, v in values.items()})

    jax.eval_shape(run, {name: state for name, (_, state) in halves.items()})
    return specs
