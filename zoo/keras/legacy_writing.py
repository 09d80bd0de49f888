"""A whole model as a legacy HDF5 file, as Keras 3 writes and reads it."""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from zoo.errors import require
from zoo.keras.slots import Parts, Slot, slots
from zoo.keras.writing import KERAS_VERSION, model_config

# HDF5 keeps no attribute above 64 KiB; Keras cuts long lists at this.
_LONGEST = 64512


def write_legacy_model(parts: Parts) -> bytes:
    """The content of a `.h5` file: the config, and each layer's weights by name."""
    content = BytesIO()
    with require("h5py", "keras").File(content, "w") as file:
        config = model_config(parts)
        file.attrs["model_config"] = json.dumps(
            {"class_name": config["class_name"], "config": config["config"]}
        )
        group = file.create_group("model_weights")
        for holder in (file, group):
            holder.attrs["backend"], holder.attrs["keras_version"] = "jax", KERAS_VERSION
        names = [spec.name for spec in parts.graph.inputs if spec.name not in parts.graph.layers]
        names += parts.graph.layers
        _names(group, "layer_names", names)
        weights = slots(parts)
        for name in names:
            # Keras's order within a layer: trainable weights first.
            of_layer = sorted(
                (slot for slot in weights if slot.owners[0] == name), key=lambda s: not s.trainable
            )
            _write_layer(group.create_group(name), of_layer)
        _names(group.create_group("top_level_model_weights"), "weight_names", [])
    return content.getvalue()


def _write_layer(group: Any, weights: Sequence[Slot]) -> None:
    names = ["/".join((*slot.owners, slot.name)) for slot in weights]
    _names(group, "weight_names", names)
    for name, slot in zip(names, weights, strict=True):
        group[name] = np.asarray(slot.variable[...])


def _names(group: Any, attribute: str, names: Sequence[str]) -> None:
    encoded = np.array([name.encode() for name in names])
    pieces = max(1, -(-encoded.nbytes // _LONGEST))
    if pieces == 1:
        group.attrs[attribute] = encoded
        return
    for i, piece in enumerate(np.array_split(encoded, pieces)):
        group.attrs[f"{attribute}{i}"] = piece
