"""A loaded Keras model as a Flax NNX module."""

import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.errors import ZooError
from zoo.keras.graph import Call, Graph, Input, Named, Tensor, map_tensors
from zoo.keras.masks import Version, call_any
from zoo.keras.operations import Operation

Make = Callable[[Call, list[Any]], nnx.Module]


class KerasModel(nnx.Module):
    """Layers joined as a Keras file says; calling it computes what Keras's `predict` does.

    Layers are attributes under their Keras names (with `_` for what Python does not allow in
    one); `layer(name)` finds one by the name itself. `graph` says how they are joined.

    Dropout and noise act after `model.train()`; the dropout inside recurrent layers, which
    Keras has as arguments of them, does not exist here.

    Args:
        graph: names, inputs, calls and outputs.
        version: the version of Keras whose rules for masks hold.
        kept: for each layer the arguments of its config that say nothing of what it computes,
            as JSON text; they are written back by `save_model`.
    """

    def __init__(self, graph: Graph, *, version: Version, kept: tuple[tuple[str, str], ...] = ()):
        self.graph, self.version, self.kept = graph, version, kept
        self.attributes: tuple[tuple[str, str], ...] = ()

    def add_layers(self, layers: Mapping[str, nnx.Module]) -> None:
        """Takes layers in under their Keras names."""
        attributes: dict[str, str] = dict(self.attributes)
        for name, layer in layers.items():
            attribute = re.sub(r"\W", "_", name)
            if not attribute.isidentifier() or keyword.iskeyword(attribute):
                attribute = f"layer_{attribute}"
            while hasattr(self, attribute) or attribute.startswith("__"):
                attribute = f"layer_{attribute.strip('_')}_{len(attributes)}"
            attributes[name] = attribute
            setattr(self, attribute, layer)
        self.attributes = tuple(attributes.items())

    def layer(self, name: str) -> nnx.Module:
        """A layer by its Keras name.

        Raises:
            KeyError: there is none of this name.
        """
        return getattr(self, dict(self.attributes)[name])

    def layers(self) -> dict[str, nnx.Module]:
        """The layers by name in Keras's order; inputs are not among them."""
        known = dict(self.attributes)
        return {n: getattr(self, known[n]) for n in self.graph.layers if n in known}

    def __call__(self, inputs: Any) -> Any:
        """Computes the outputs.

        Args:
            inputs: one array; for several inputs a list in the model's order, or a dictionary
                by their names.

        Returns:
            An array, a list or a dictionary, as the model has it.

        Raises:
            ZooError: inputs are missing, or of another shape than the model's.
        """
        return self.call_with_masks(inputs, None)[0]

    def call_with_masks(self, inputs: Any, masks: Any) -> tuple[Any, Any]:
        """The same with a mask or None for each input and output."""
        return run_graph(
            self.graph,
            lambda call, _: self.layer(call.layer),
            in_order(self.graph, inputs),
            in_order(self.graph, masks) if isinstance(masks, Mapping) else masks,
            version=self.version,
        )


def run_graph(
    graph: Graph,
    layer_of: Make,
    inputs: list[Any],
    masks: Any,
    *,
    version: Version,
    seen: dict[Tensor, Any] | None = None,
) -> tuple[Any, Any]:
    """Calls the layers of a graph in turn; `layer_of` finds (or makes) each for its inputs.

    Every array that comes up is put into `seen`.
    """
    values: dict[Tensor, Any] = {} if seen is None else seen
    known_masks: dict[Tensor, Any] = {}

    def value_of(tensor: Tensor) -> Any:
        if tensor not in values:
            raise ZooError(
                f"{graph.name}: {tensor.layer} has no output {tensor.output}, which is read"
            )
        return values[tensor]

    masks = list(masks) if isinstance(masks, list | tuple) else [masks] * len(inputs)
    for spec, value, mask in zip(graph.inputs, inputs, masks, strict=True):
        here = Tensor(spec.name, 0, 0)
        values[here], known_masks[here] = _as_input(spec, value), mask
    for call in graph.calls:
        arguments = map_tensors(value_of, call.arguments)
        keywords = map_tensors(value_of, Named(call.keywords))
        try:
            layer = layer_of(call, arguments)
            if isinstance(layer, Operation):
                outputs, output_masks = layer(*arguments), None
            else:
                argument_masks = map_tensors(known_masks.get, call.arguments)
                outputs, output_masks = call_any(
                    layer, arguments, argument_masks, keywords, version=version
                )
        except ZooError as error:
            raise ZooError(f"{graph.name}/{call.layer}: {error}") from error
        flat = _flat(outputs)
        flat_masks = _flat(output_masks) if isinstance(output_masks, list | dict) else None
        for i, output in enumerate(flat):
            here = Tensor(call.layer, call.index, i)
            values[here] = output
            known_masks[here] = output_masks if flat_masks is None else flat_masks[i]
    return (
        map_tensors(value_of, graph.outputs),
        map_tensors(known_masks.get, graph.outputs),
    )


def _flat(outputs: Any) -> list[Any]:
    """Outputs in the order in which Keras counts them."""
    if isinstance(outputs, Mapping):
        return [item for key in sorted(outputs) for item in _flat(outputs[key])]
    if isinstance(outputs, list | tuple):
        return [item for output in outputs for item in _flat(output)]
    return [outputs]


def in_order(graph: Graph, inputs: Any) -> list[Any]:
    """The inputs of a model as a list.

    Raises:
        ZooError: there are more or fewer, or other names.
    """
    names = [spec.name for spec in graph.inputs]
    if isinstance(inputs, Mapping):
        keys = names
        if isinstance(graph.input_structure, Named):
            keys = [key for name in names for key, n in graph.input_structure.items if n == name]
        if set(inputs) != set(keys):
            raise ZooError(f"inputs must be {', '.join(keys)}, got {', '.join(map(str, inputs))}.")
        return [inputs[key] for key in keys]
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if len(given) != len(names):
        raise ZooError(f"inputs must be {len(names)} ({', '.join(names)}), got {len(given)}.")
    return given


def _as_input(spec: Input, value: Any) -> Any:
    """An array of the input's type and rank; Keras adds or drops a last axis of size 1."""
    if not isinstance(value, jax.Array):
        value = np.asarray(value)
    value = jnp.asarray(value, jax.dtypes.canonicalize_dtype(spec.dtype))
    if spec.shape is None:
        return value
    rank = len(spec.shape) + 1
    if value.ndim == rank - 1 and spec.shape and spec.shape[-1] == 1:
        value = value[..., None]
    elif value.ndim == rank + 1 and value.shape[-1] == 1:
        value = value[..., 0]
    fits = value.ndim == rank and all(
        side is None or side == got for side, got in zip(spec.shape, value.shape[1:], strict=True)
    )
    if not fits:
        expected = ", ".join("any" if side is None else str(side) for side in spec.shape)
        raise ZooError(
            f"input {spec.name!r} must have shape [B, {expected}], got shape {value.shape}."
        )
    return value
