"""The shape of every tensor of a model, worked out without computing anything."""

from typing import Any

import jax
import jax.numpy as jnp

from zoo.keras.graph import Call, Tensor
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

    def run() -> None:
        examples = [
            jnp.zeros((2, *(size if side is None else side for side in spec.shape or ())))
            for spec in parts.graph.inputs
        ]

        def layer_of(call: Call, _: list[Any]) -> Any:
            return parts.layers[call.layer]

        run_graph(parts.graph, layer_of, examples, None, keras2=False, seen=specs)

    jax.eval_shape(run)
    return {t: jax.ShapeDtypeStruct(v.shape, v.dtype) for t, v in specs.items()}
