"""What is in a Keras file, as tables for a person."""

import math
import os

from zoo.errors import ZooError
from zoo.keras.config import read_model_config
from zoo.keras.files import KerasFile, open_keras_file
from zoo.keras.model import KerasModel
from zoo.keras.shapes import tensor_specs
from zoo.keras.slots import class_name_of, parts_of_model, slots

Row = tuple[str, ...]


def describe(path: str | os.PathLike[str]) -> str:
    """The format and version of a file, and its layers or, without a model, its data sets.

    Raises:
        FileNotFoundError, ZooError: as `load_model` does, but for weights alone.
    """
    with open_keras_file(path) as file:
        head = f"{path}: {file.format}"
        if file.config is None:
            written = "" if file.root is None else f" of Keras {file.keras_version}"
            return f"{head}{written}\n{_datasets(file)}"
        plan = read_model_config(file.config, version=file.version, where=str(path))
        try:
            model = plan.build()
        except ZooError as error:
            raise ZooError(f"{path} has a model that cannot be built: {error}") from error
        return f"{head}, Keras {file.keras_version}\n{_layers(model)}"


def _layers(model: KerasModel) -> str:
    parts = parts_of_model(model)
    specs = tensor_specs(parts)
    weights = slots(parts)
    inputs = {spec.name for spec in parts.graph.inputs}
    rows: list[Row] = [("layer", "class", "output", "parameters")]
    names = [n for n in sorted(inputs) if n not in parts.graph.layers] + list(parts.graph.layers)
    for name in names:
        kind = "InputLayer" if name in inputs else class_name_of(parts.layers[name])
        outputs = sorted((t, s) for t, s in specs.items() if t.layer == name and t.call == 0)
        shapes = ", ".join(_shape(shape) for _, (shape, _) in outputs)
        count = sum(math.prod(s.variable.shape) for s in weights if s.owners[0] == name)
        rows.append((name, kind, shapes, f"{count:,}"))
    total = sum(math.prod(slot.variable.shape) for slot in weights)
    trainable = sum(math.prod(slot.variable.shape) for slot in weights if slot.trainable)
    return (
        f"{parts.graph.class_name} model {parts.graph.name!r}\n{_table(rows)}\n"
        f"{total:,} parameters: {trainable:,} trainable, {total - trainable:,} not"
    )


def _datasets(file: KerasFile) -> str:
    rows: list[Row] = [("data set", "type", "shape", "numbers")]
    for path, dataset in sorted(file.weights.datasets.items()):
        count = math.prod(dataset.shape)
        rows.append((path, str(dataset.dtype), str(dataset.shape), f"{count:,}"))
    return _table(rows)


def _shape(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in shape)})"


def _table(rows: list[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i == len(row) - 1 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
