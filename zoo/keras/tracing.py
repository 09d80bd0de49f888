"""The graph of a registry model, read off its own forward pass.

A model whose arithmetic all happens in layers has a Keras model that computes the same: each
call of a layer is a call there, and an array that one layer returns and another takes is an edge
between them. So no model says twice what it computes.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import jax
from flax import nnx
from jax import lax

from zoo import layers
from zoo.errors import ZooError
from zoo.keras.graph import Call, Graph, Input, Named, Tensor, keras_order
from zoo.keras.model import KerasModel
from zoo.keras.operations import Operation
from zoo.keras.slots import Parts, parts_of_model
from zoo.layers.interception import intercepted_calls

_INPUT = "input_layer"


def parts_of(model: nnx.Module) -> Parts:
    """A loaded or registry model as files know it; layers keep the names they have in the model.

    A registry model's input is described by `config.input_shape`, one example's shape, and where
    that is not of floats by `model.input_dtype`.

    Raises:
        ZooError: the model does not say what its input is, or computes outside its layers.
    """
    if isinstance(model, KerasModel):
        return parts_of_model(model)
    shape = getattr(getattr(model, "config", None), "input_shape", None)
    if not isinstance(shape, tuple):
        raise ZooError(
            f"{type(model).__name__} must say the shape of one example as config.input_shape, so "
            "that Keras can know it."
        )
    spec = Input(_INPUT, shape, getattr(model, "input_dtype", "float32"))
    return _Trace(model, spec).parts()


class _Trace:
    def __init__(self, model: nnx.Module, spec: Input):
        self._model, self._spec = model, spec
        self._calls: dict[tuple[str, int], Call] = {}
        self._counts: Counter[str] = Counter()
        self._operations: dict[str, nnx.Module] = {}
        # By identity: tracers are one object for each value. They are kept, so that no identity
        # is given out twice.
        self._known: dict[int, tuple[Any, Tensor]] = {}

    def parts(self) -> Parts:
        copy = nnx.clone(self._model)
        copy.eval()
        outputs: list[Any] = []

        def run(x: jax.Array) -> None:
            self._learn(x, Tensor(self._spec.name, 0, 0))
            with intercepted_calls(copy, self._handle, ("__call__", "compute_mask")):
                result = copy(x)
            outputs.append(self._tensors(result, "the model's result"))

        dtype = jax.dtypes.canonicalize_dtype(self._spec.dtype)
        jax.eval_shape(run, jax.ShapeDtypeStruct((2, *(self._spec.shape or ())), dtype))
        order = keras_order((self._spec,), self._calls, outputs[0])
        graph = Graph(
            type(self._model).__name__,
            "Functional",
            (self._spec,),
            self._spec.name,
            tuple(call for call in self._calls.values() if call.layer in order),
            outputs[0],
            order,
        )
        modules = {".".join(map(str, p)): m for p, m in nnx.iter_modules(self._model)}
        found = {name: modules.get(name) or self._operations.get(name) for name in order}
        return Parts(graph, {name: layer for name, layer in found.items() if layer}, {})

    def _handle(
        self, path: str, layer: layers.Layer, call: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        result = call(layer, *args, **kwargs)
        if call.__name__ == "compute_mask":
            return result if result is None else self._mask(path, layer, args[0], result)
        arguments = tuple(self._tensors(arg, path) for arg in args)
        given = {key: value for key, value in kwargs.items() if value is not None}
        unknown = set(given) - {"mask", "initial_state"}
        if unknown:
            raise ZooError(f"{path} is called with {', '.join(unknown)}, which Keras has not.")
        keywords = tuple((key, self._tensors(value, path)) for key, value in given.items())
        index = self._counts[path]
        self._counts[path] += 1
        self._calls[path, index] = Call(path, index, arguments, keywords)
        # A layer that does nothing returns its input itself, and would not be seen after it.
        result = jax.tree.map(lax.optimization_barrier, result)
        flat = jax.tree.leaves(result)
        for i, value in enumerate(flat):
            self._learn(value, Tensor(path, index, i))
        return result

    def _mask(self, path: str, layer: layers.Layer, x: Any, mask: Any) -> Any:
        """Notes the operations by which Keras computes a layer's mask."""
        value = layer.mask_value if isinstance(layer, layers.Masking) else 0
        at = self._operation("NotEqual", {}, (self._tensors(x, path), value))
        if mask.ndim < x.ndim:
            at = self._operation("Any", {"axis": -1, "keepdims": False}, (at,))
        mask = lax.optimization_barrier(mask)
        self._learn(mask, at)
        return mask

    def _operation(
        self, class_name: str, options: Mapping[str, Any], arguments: tuple[Any, ...]
    ) -> Tensor:
        name = f"{class_name.lower()}_{len(self._operations)}"
        self._operations[name] = Operation(class_name, options)
        self._calls[name, 0] = Call(name, 0, arguments)
        return Tensor(name, 0, 0)

    def _learn(self, value: Any, tensor: Tensor) -> None:
        self._known[id(value)] = (value, tensor)

    def _tensors(self, value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            return Named(tuple((k, self._tensors(v, place)) for k, v in value.items()))
        if isinstance(value, list | tuple):
            return tuple(self._tensors(item, place) for item in value)
        if id(value) not in self._known:
            raise ZooError(
                f"{type(self._model).__name__} computes outside its layers what meets {place}, so "
                "Keras cannot be told: let a layer do it (Reshape, Concatenate, Add, …), and masks "
                "come from compute_mask of Embedding or Masking."
            )
        return self._known[id(value)][1]
