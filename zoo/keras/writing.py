"""Models into Keras files, in the format of Keras 3."""

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from flax import nnx

from zoo import layers
from zoo.errors import ZooError, cannot_be_written, require
from zoo.keras.graph import Call, Graph, Named, Tensor
from zoo.keras.layer_table import LAYERS, spec_of
from zoo.keras.model import KerasModel
from zoo.keras.operations import Operation
from zoo.keras.shapes import tensor_specs
from zoo.keras.slots import Parts, class_name_of, groups, parts_of_model, slots
from zoo.keras.tracing import parts_of

# The oldest Keras that opens what is written here.
KERAS_VERSION = "3.0.0"


def save_weights(model: nnx.Module, path: str | os.PathLike[str]) -> None:
    """Writes a model's weights as a `.weights.h5` that Keras 3 loads into the same model.

    Args:
        model: one from `load_model`, or any model of the registry whose arithmetic all happens
            in layers.
        path: must end in `.weights.h5`, as Keras demands.

    Raises:
        ZooError: another ending, or a model that Keras has not.
    """
    path = _checked_ending(path, ".weights.h5")
    replace_file(path, _weights_bytes(parts_of(model)))


def save_model(model: nnx.Module, path: str | os.PathLike[str]) -> None:
    """Writes a whole model as a `.keras` file that Keras 3 opens, with the same predictions.

    Args:
        model: one from `load_model`, or any model of the registry whose arithmetic all happens
            in layers. A registry model's file gives logits, as the model does.
        path: must end in `.keras`, as Keras demands.

    Raises:
        ZooError: another ending, or a model that Keras has not: the message names the layers.
    """
    path = _checked_ending(path, ".keras")
    parts = parts_of(model)
    now = datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    members = {
        "metadata.json": json.dumps({"keras_version": KERAS_VERSION, "date_saved": now}).encode(),
        "config.json": json.dumps(model_config(parts)).encode(),
        "model.weights.h5": _weights_bytes(parts),
    }
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    replace_file(path, archive.getvalue())


def _checked_ending(path: str | os.PathLike[str], ending: str) -> Path:
    if not str(path).endswith(ending):
        raise ZooError(f"path must end in {ending}, got {os.fspath(path)!r}.")
    return Path(path)


def replace_file(path: Path, content: bytes) -> None:
    """All of the content or, if anything goes wrong, what was there before.

    Raises:
        ZooError: the file cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as new:
            half = Path(new.name)
            try:
                new.write(content)
                new.close()
                half.chmod(0o666 & ~_umask())
                half.replace(path)
            finally:
                half.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _weights_bytes(parts: Parts) -> bytes:
    content = BytesIO()
    write_weights(parts, content)
    return content.getvalue()


def write_weights(parts: Parts, target: BinaryIO | Path) -> None:
    """The weights at the paths of Keras 3."""
    with require("h5py", "keras").File(target, "w") as file:
        for group in groups(parts):
            file.create_group(group.path).attrs["name"] = group.name
        for slot in slots(parts):
            file[slot.path] = np.asarray(slot.variable[...])


def model_config(parts: Parts) -> dict[str, Any]:
    """What Keras 3 keeps as `config.json`."""
    graph = parts.graph
    config: dict[str, Any] = {"name": graph.name, "trainable": True}
    if graph.class_name == "Sequential":
        (spec,) = graph.inputs
        config["layers"] = [
            _input_entry(graph, spec.name),
            *(_layer_entry(parts, name) for name in graph.layers),
        ]
        config["build_input_shape"] = [None, *(spec.shape or ())]
        return {**_class("keras", "Sequential"), "config": config}
    nodes = _Nodes(parts)
    inputs = {spec.name for spec in graph.inputs}
    config["layers"] = [
        {
            **(_input_entry(graph, name) if name in inputs else _layer_entry(parts, name)),
            "name": name,
            "inbound_nodes": nodes.of_layer(name),
        }
        for name in graph.layers
    ]
    config["input_layers"] = _input_names(graph.input_structure)
    config["output_layers"] = nodes.outputs()
    return {**_class("keras.src.models.functional", "Functional"), "config": config}


def _class(module: str, class_name: str) -> dict[str, Any]:
    registered = class_name if module.startswith("keras.src") else None
    return {"module": module, "class_name": class_name, "registered_name": registered}


def _input_names(structure: Any) -> Any:
    if isinstance(structure, Named):
        return {key: _input_names(value) for key, value in structure.items}
    if isinstance(structure, tuple):
        return [_input_names(value) for value in structure]
    return [structure, 0, 0]


def _input_entry(graph: Graph, name: str) -> dict[str, Any]:
    spec = next(spec for spec in graph.inputs if spec.name == name)
    config = {
        "batch_shape": [None, *(spec.shape or ())],
        "dtype": spec.dtype,
        "sparse": False,
        "name": name,
    }
    return {**_class("keras.layers", "InputLayer"), "config": config}


def _layer_entry(parts: Parts, name: str) -> dict[str, Any]:
    try:
        if "/" in name:
            raise ZooError("Keras 3 allows no '/' in the name of a layer")
        kept = json.loads(parts.kept.get(name, "{}"))
        return layer_entry(parts.layers[name], name, kept)
    except ZooError as error:
        raise ZooError(f"{parts.graph.name}/{name}: {error}") from error


def layer_entry(layer: nnx.Module, name: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    """A layer as Keras 3 writes it, with the arguments that were kept from a file."""
    if isinstance(layer, KerasModel):
        entry = model_config(parts_of_model(layer))
        entry["config"]["name"] = name
        return entry
    if isinstance(layer, Operation):
        config = {**dict(layer.options), "name": name}
        return {**_class("keras.src.ops.numpy", layer.class_name), "config": config}
    class_name = class_name_of(layer)
    config = {"name": name, "dtype": "float32", **_portable(kept)}
    if isinstance(layer, layers.Bidirectional):
        inner = kept.get("layer", {})
        backward = layer_entry(layer.backward_layer, f"backward_{name}", inner)
        backward["config"]["go_backwards"] = True
        config |= {
            "merge_mode": layer.merge_mode,
            "layer": layer_entry(layer.forward_layer, f"forward_{name}", inner),
            "backward_layer": backward,
        }
    elif isinstance(layer, layers.TimeDistributed):
        inner_name = f"{name}_layer"
        config["layer"] = layer_entry(layer.layer, inner_name, kept.get("layer", {}))
    else:
        found = spec_of(layer)
        assert found is not None  # class_name_of has seen to it
        config |= _arguments(found[0], layer)
    return {**_class("keras.layers", class_name), "config": config}


def _arguments(class_name: str, layer: nnx.Module) -> dict[str, Any]:
    arguments = {}
    for name, field in LAYERS[class_name].fields.items():
        if field.attribute == "":
            continue
        value = getattr(layer, field.attribute or name)
        if value == "hard_sigmoid_keras2":
            raise ZooError(f"{name} is the hard_sigmoid of Keras 2, which Keras 3 does not have")
        arguments[name] = value
    return arguments


def _portable(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras 3 takes of the arguments kept from a file of either version."""
    return {
        name: value
        for name, value in kept.items()
        if name in ("dropout", "recurrent_dropout", "seed", "unroll")
        or (name == "trainable" and value is False)  # some layers take no other
        or (name.endswith(("_initializer", "_regularizer", "_constraint")) and _is_own(value))
    }


def _is_own(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping) and str(value.get("module")).split(".")[0] == "keras"
    )


class _Nodes:
    """Calls as Keras 3 writes them, with the shape of every tensor."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._specs = tensor_specs(parts)

    def of_layer(self, name: str) -> list[dict[str, Any]]:
        """All calls of a layer, in the order that their outputs are counted by."""
        calls = sorted((c for c in self._parts.graph.calls if c.layer == name), key=_index)
        return [
            {
                "args": [self._value(value) for value in call.arguments],
                "kwargs": {key: self._value(value) for key, value in call.keywords},
            }
            for call in calls
        ]

    def outputs(self) -> Any:
        """What the model returns."""

        def place(tensor: Tensor) -> list[Any]:
            # A Functional model within counts its own wiring as call 0 here, and only here.
            layer = self._parts.layers.get(tensor.layer)
            within = isinstance(layer, KerasModel) and layer.graph.class_name != "Sequential"
            return [tensor.layer, self._number(tensor) + within, tensor.output]

        return _map(place, self._parts.graph.outputs)

    def _value(self, value: Any) -> Any:
        def described(tensor: Tensor) -> dict[str, Any]:
            shape, dtype = self._specs[tensor]
            history = [tensor.layer, self._number(tensor), tensor.output]
            config = {"shape": list(shape), "dtype": dtype, "keras_history": history}
            return {"class_name": "__keras_tensor__", "config": config}

        return _map(described, value)

    def _number(self, tensor: Tensor) -> int:
        """Which of the calls that lead to an output this one is."""
        calls = self._parts.graph.calls
        return sum(c.layer == tensor.layer and c.index < tensor.call for c in calls)


def _index(call: Call) -> int:
    return call.index


def _map(function: Any, structure: Any) -> Any:
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, Named):
        return {key: _map(function, value) for key, value in structure.items}
    if isinstance(structure, tuple):
        return [_map(function, value) for value in structure]
    return structure
