"""How the layers of a config are joined: Sequential, and Functional as Keras 2 and 3 write it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from zoo.keras.arguments import policy_name
from zoo.keras.graph import (
    Call,
    Graph,
    Input,
    Named,
    Tensor,
    call_tensors,
    keras_order,
    tensors,
)
from zoo.keras.layer_table import LAYERS, MODELS
from zoo.keras.operations import OPERATIONS
from zoo.keras.wording import short

_INPUT_TYPES = ("float", "int", "uint", "bool", "bfloat")
_KEYWORDS = ("mask", "initial_state")
# What a recurrent layer may be called with after its input, in Keras's order.
_POSITIONS = ("initial_state", "mask", "training")


class Problems(Protocol):
    """Whoever collects what is not understood."""

    def problem(self, path: str, text: str) -> None:
        """Notes one thing."""


class Wiring:
    """The graph of one model's config."""

    def __init__(
        self, problems: Problems, path: str, entry: Mapping[str, Any], config: Mapping[str, Any]
    ):
        self._problems, self._path, self._entry, self._config = problems, path, entry, config
        self._sequential = entry.get("class_name") == "Sequential"
        self._entries: dict[str, Mapping[str, Any]] = {}

    def _problem(self, text: str, layer: str | None = None) -> None:
        self._problems.problem(f"{self._path}/{layer}" if layer else self._path, text)

    def name_of(self, entry: Any, index: int) -> str | None:
        """The name of a layer of the list, or None with a problem noted."""
        config = entry.get("config") if isinstance(entry, Mapping) else None
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if name is None and isinstance(config, Mapping):
            name = config.get("name")
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 500:
            self._problem(f"layer {index} must have a printable name, got {short(name)}")
            return None
        if name in self._entries:
            self._problem(f"layer name {name!r} is there twice")
            return None
        self._entries[name] = entry
        return name

    @staticmethod
    def is_input(entry: Mapping[str, Any]) -> bool:
        """Whether an entry of the list is an input and not a layer."""
        return entry.get("class_name") == "InputLayer"

    def graph(self) -> Graph | None:
        """The graph, or None with problems noted."""
        return self._sequential_graph() if self._sequential else self._functional_graph()

    def _name(self) -> str:
        name = self._config.get("name")
        return name if isinstance(name, str) else str(self._entry.get("class_name")).lower()

    # Sequential

    def _sequential_graph(self) -> Graph | None:
        names = list(self._entries)
        if names and self.is_input(self._entries[names[0]]):
            first = self._input(names.pop(0))
        else:
            first = Input(self._free_name(), self._first_shape(names))
        if first is None:
            return None
        if not names:
            self._problem("must have at least one layer, got none")
            return None
        for name in names:
            if self.is_input(self._entries[name]):
                self._problem("an input may only come first", name)
                return None
        chain = [first.name, *names]
        calls = tuple(
            Call(layer, 0, (Tensor(before, 0, 0),))
            for before, layer in zip(chain, names, strict=False)
        )
        last = Tensor(names[-1], 0, 0)
        # Keras leaves the input out of `model.layers` here.
        return Graph(self._name(), "Sequential", (first,), first.name, calls, last, tuple(names))

    def _free_name(self) -> str:
        name = "input_layer"
        while name in self._entries:
            name += "_"
        return name

    def _first_shape(self, names: Sequence[str]) -> tuple[int | None, ...] | None:
        build = self._entry.get("build_config")
        given = [
            self._config.get("build_input_shape"),
            build.get("input_shape") if isinstance(build, Mapping) else None,
            *(_input_shapes(self._entries[names[0]]) if names else ()),
        ]
        for shape in given:
            if shape is not None and _is_shape(shape):
                return tuple(shape[1:])
        return None

    # Functional

    def _functional_graph(self) -> Graph | None:
        inputs = {n: self._input(n) for n, e in self._entries.items() if self.is_input(e)}
        calls: dict[tuple[str, int], Call] = {}
        for name, entry in self._entries.items():
            if name in inputs:
                continue
            nodes = entry.get("inbound_nodes")
            if not isinstance(nodes, list):
                self._problem("must have inbound_nodes", name)
                return None
            for index, node in enumerate(nodes):
                call = self._call(name, index, node)
                if call is None:
                    return None
                calls[name, index] = call
        sources = self._structure(self._config.get("input_layers"), "input_layers")
        outputs = self._structure(self._config.get("output_layers"), "output_layers")
        if sources is None or outputs is None or None in inputs.values():
            return None
        ordered_inputs: list[Input] = []
        for tensor in tensors(sources):
            found = inputs.get(tensor.layer)
            if found is None or found in ordered_inputs:
                reason = "which is no input" if found is None else "twice"
                self._problem(f"input_layers names {tensor.layer!r}, {reason}")
                return None
            ordered_inputs.append(found)
        order = self._runnable(calls, outputs, {found.name for found in ordered_inputs})
        if order is None:
            return None
        return Graph(
            self._name(),
            "Functional",
            tuple(ordered_inputs),
            _names(sources),
            order,
            outputs,
            keras_order(tuple(ordered_inputs), calls, outputs),
        )

    def _call(self, name: str, index: int, node: Any) -> Call | None:
        operation = is_operation(self._entries[name])
        try:
            keras2 = not isinstance(node, Mapping) or (node and all(map(_is_ref, node.values())))
            arguments, keywords = (self._keras2_call if keras2 else self._keras3_call)(node)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            self._problem(f"call {index} is not understood ({error})", name)
            return None
        if len(arguments) > 1 and not operation and not keywords.keys() & set(_POSITIONS):
            extra = dict(zip(_POSITIONS, arguments[1:], strict=False))
            arguments, keywords = arguments[:1], {**keywords, **extra}
        keywords = {k: v for k, v in keywords.items() if set(_leaves(v)) - {None, False}}
        wrong = {key: value for key, value in keywords.items() if key not in _KEYWORDS}
        if wrong:
            text = ", ".join(f"{key}={short(value)}" for key, value in wrong.items())
            self._problem(f"call {index} with {text} is not supported", name)
            return None
        given = {} if operation else {"an input": arguments[:1], **keywords}
        for what, value in given.items():
            kinds = {type(leaf) for leaf in _leaves(value)}
            if not {Tensor} <= kinds <= {Tensor, type(None)}:
                self._problem(f"call {index} must have tensors as {what}, got {short(value)}", name)
                return None
        return Call(name, index, arguments, tuple(keywords.items()))

    def _keras3_call(self, node: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        arguments = tuple(self._value(item, 0) for item in node["args"])
        return arguments, {k: self._value(v, 0) for k, v in node.get("kwargs", {}).items()}

    def _keras2_call(self, node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A list or dictionary of `[layer, call, output, keywords]`, or just one of them."""
        refs = [node] if _is_ref(node) else node
        if isinstance(refs, Mapping):
            values: Any = Named(tuple((k, self._ref(v, 1)) for k, v in refs.items()))
            first = next(iter(refs.values()))
        else:
            values = tuple(self._ref(ref, 1) for ref in refs)
            values, first = (values[0] if len(values) == 1 else values), refs[0]
        keywords = first[3] if len(first) > 3 else {}
        return (values,), {k: self._keras2_value(v) for k, v in keywords.items()}

    def _ref(self, ref: Any, models_from: int) -> Tensor:
        """`[layer, call, output]`; calls of a model within count from `models_from`."""
        layer, call, output = ref[:3]
        if layer not in self._entries:
            raise ValueError(f"no layer {short(layer)}")
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in (call, output)):
            raise ValueError(f"{short(ref[:3])} is no output of a layer")
        return Tensor(layer, call - (models_from if self._counts_itself(layer) else 0), output)

    def _counts_itself(self, layer: str) -> bool:
        """Whether a model's own wiring is its call 0, so that calls of it begin at 1.

        So it is for Functional models, and in Keras 2 for Sequential ones with an input as well.
        """
        entry = self._entries[layer]
        if entry.get("class_name") == "Sequential":
            nodes = entry.get("inbound_nodes")
            layers = entry.get("config", {})
            layers = layers.get("layers") if isinstance(layers, Mapping) else layers
            if not isinstance(nodes, list) or not nodes or not isinstance(layers, list):
                return False
            keras2_nodes = not isinstance(nodes[0], Mapping)
            return keras2_nodes and bool(layers) and self.is_input(layers[0])
        return entry.get("class_name") in MODELS

    def _value(self, value: Any, models_from: int) -> Any:
        """An argument of Keras 3: tensors, constants, and lists and dictionaries of both."""
        if isinstance(value, Mapping):
            if value.get("class_name") == "__keras_tensor__":
                return self._ref(value["config"]["keras_history"], models_from)
            if "class_name" in value:
                raise ValueError(f"argument of class {short(value['class_name'])}")
            return Named(tuple((k, self._value(v, models_from)) for k, v in value.items()))
        if isinstance(value, list):
            return tuple(self._value(item, models_from) for item in value)
        return value

    def _keras2_value(self, value: Any) -> Any:
        if _is_ref(value) and value[0] in self._entries:
            return self._ref(value, 1)
        if isinstance(value, Mapping):
            return Named(tuple((k, self._keras2_value(v)) for k, v in value.items()))
        if isinstance(value, list):
            return tuple(self._keras2_value(item) for item in value)
        return value

    def _structure(self, value: Any, what: str) -> Any:
        """`input_layers` or `output_layers`: one tensor, or a list or dictionary of them."""

        def read(item: Any) -> Any:
            if _is_ref(item):
                return self._ref(item, 1)
            if isinstance(item, Mapping) and item:
                return Named(tuple((str(key), read(value)) for key, value in item.items()))
            if isinstance(item, list) and item:
                return tuple(read(value) for value in item)
            raise ValueError(f"{short(item)} is no output of a layer")

        try:
            structure = read(value)
        except (ValueError, TypeError, KeyError) as error:
            self._problem(f"{what} is not understood ({error})")
            return None
        # Keras unwraps a list of one.
        single = isinstance(structure, tuple) and not isinstance(structure, Tensor | Named)
        return structure[0] if single and len(structure) == 1 else structure

    def _runnable(
        self, calls: Mapping[tuple[str, int], Call], outputs: Any, inputs: set[str]
    ) -> tuple[Call, ...] | None:
        """The calls that lead to the outputs, each after those it reads from."""
        order: list[Call] = []
        state: dict[tuple[str, int], str] = {(name, 0): "done" for name in inputs}

        def expand(nodes: Sequence[Tensor]) -> Iterator[tuple[str, int]]:
            return ((t.layer, t.call) for t in nodes)

        stack = list(expand(list(tensors(outputs))))[::-1]
        while stack:
            node = stack[-1]
            if state.get(node) == "done":
                stack.pop()
            elif state.get(node) == "entered":
                state[node] = "done"
                order.append(calls[node])
                stack.pop()
            elif node not in calls:
                self._problem(f"call {node[1]} of {node[0]!r} is read but not there")
                return None
            else:
                state[node] = "entered"
                for source in expand(call_tensors(calls[node])):
                    if state.get(source) == "entered":
                        self._problem(f"the layers form a circle at {source[0]!r}")
                        return None
                    stack.append(source)
        return tuple(order)

    def _input(self, name: str) -> Input | None:
        config = self._entries[name].get("config")
        if not isinstance(config, Mapping):
            self._problem("config must be an object", name)
            return None
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        if shape is None and "shape" in config and _is_shape([None, *config["shape"]]):
            shape = [None, *config["shape"]]
        dtype = policy_name(config.get("dtype") or "float32")
        for option in ("sparse", "ragged", "optional"):
            if config.get(option):
                self._problem(f"InputLayer {option}=True is not supported", name)
                return None
        if shape is None or not _is_shape(shape):
            self._problem(f"InputLayer must have a batch_shape, got {short(shape)}", name)
            return None
        if not isinstance(dtype, str) or not _is_type(dtype):
            self._problem(f"InputLayer dtype must be of numbers, got {short(dtype)}", name)
            return None
        return Input(name, tuple(shape[1:]), dtype)


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of the list is an operation of Keras 3 and not a layer.

    Legacy files leave the module out. There, where a name stands for both, the call tells: a
    layer that merges takes one list, an operation its arrays one by one.
    """
    module, class_name = entry.get("module"), entry.get("class_name")
    if module is not None or class_name not in OPERATIONS:
        return isinstance(module, str) and module.startswith(("keras.src.ops.", "keras.ops"))
    if class_name not in LAYERS:
        return True
    nodes = entry.get("inbound_nodes") or [None]
    arguments = nodes[0].get("args") if isinstance(nodes[0], Mapping) else None
    config = entry.get("config")
    return (isinstance(arguments, list) and len(arguments) > 1) or (
        isinstance(config, Mapping) and arguments is not None and "trainable" not in config
    )


def _input_shapes(entry: Any) -> Iterator[Any]:
    """What a layer says of its input's shape, or a model of that of its first layer."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(config, Mapping):
        yield config.get("batch_input_shape")
        yield config.get("batch_shape")
        layers = config.get("layers")
        if isinstance(layers, list) and layers:
            yield from _input_shapes(layers[0])


def _names(structure: Any) -> Any:
    """A structure of tensors as one of layer names, hashable."""
    if isinstance(structure, Tensor):
        return structure.layer
    if isinstance(structure, Named):
        return Named(tuple((key, _names(value)) for key, value in structure.items))
    return tuple(_names(value) for value in structure)


def _is_ref(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(n, int) for n in value[1:3])
    )


def _leaves(structure: Any) -> list[Any]:
    """Tensors and constants of a nested structure."""
    if isinstance(structure, Named):
        return [leaf for _, value in structure.items for leaf in _leaves(value)]
    if isinstance(structure, tuple) and not isinstance(structure, Tensor):
        return [leaf for value in structure for leaf in _leaves(value)]
    return [structure]


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list | tuple)
        and 1 <= len(shape) <= 8
        and all(side is None or (isinstance(side, int) and 0 < side < 2**31) for side in shape[1:])
    )


def _is_type(name: str) -> bool:
    if not name.startswith(_INPUT_TYPES):
        return False
    try:
        return name == "bfloat16" or np.dtype(name).kind in "fiub"
    except TypeError:
        return False
