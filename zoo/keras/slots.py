"""Where each weight of a model lies in Keras's files."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flax import nnx

from zoo import layers
from zoo.errors import ZooError
from zoo.keras.graph import Graph
from zoo.keras.layer_table import spec_of
from zoo.keras.model import KerasModel
from zoo.keras.operations import Operation


class Parts(NamedTuple):
    """A model as files know it: how it is wired, its layers by Keras name, its kept arguments."""

    graph: Graph
    layers: Mapping[str, nnx.Module]
    kept: Mapping[str, str]


class Slot(NamedTuple):
    """One weight of a model.

    `path` is where files of Keras 3 keep it. Legacy files go by names: `owners` are those of
    the layers that hold it, outermost first, `name` is its own, and `trainable` decides the
    order within a layer.
    """

    path: str
    owners: tuple[str, ...]
    name: str
    trainable: bool
    variable: nnx.Variable[Any]


class Group(NamedTuple):
    """A group `vars` of a file: its path, and the layer's name, which Keras notes beside it."""

    path: str
    name: str


def snake_case(class_name: str) -> str:
    """A class name as Keras writes it in paths.

    >>> snake_case("MaxPooling2D"), snake_case("LSTM"), snake_case("SimpleRNN")
    ('max_pooling2d', 'lstm', 'simple_rnn')
    """
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def class_name_of(layer: nnx.Module) -> str:
    """The Keras class of one of our layers.

    Raises:
        ZooError: Keras has none.
    """
    if isinstance(layer, KerasModel):
        return layer.graph.class_name
    if isinstance(layer, layers.Bidirectional | layers.TimeDistributed | Operation):
        return layer.class_name if isinstance(layer, Operation) else type(layer).__name__
    found = spec_of(layer)
    if found is None:
        raise ZooError(f"{type(layer).__name__} has no Keras layer that computes the same")
    return found[0]


def parts_of_model(model: KerasModel) -> Parts:
    """A loaded model as files know it."""
    return Parts(model.graph, model.layers(), dict(model.kept))


def slots(parts: Parts) -> list[Slot]:
    """All weights, in the order of the layers."""
    return [item for item in _walk(parts, "", ()) if isinstance(item, Slot)]


def groups(parts: Parts) -> list[Group]:
    """All groups `vars`, those without a weight as well."""
    return [item for item in _walk(parts, "", ()) if isinstance(item, Group)]


def _walk(parts: Parts, path: str, owners: tuple[str, ...]) -> Iterator[Slot | Group]:
    yield Group(f"{path}vars", parts.graph.name)
    counts: Counter[str] = Counter()
    inputs = {spec.name for spec in parts.graph.inputs}
    for name in parts.graph.layers:
        layer = parts.layers.get(name)
        if isinstance(layer, Operation):
            continue  # not one of `model.layers`
        kind = "input_layer" if name in inputs else snake_case(class_name_of(parts.layers[name]))
        number = counts[kind]
        counts[kind] += 1
        here = f"{path}layers/{kind}{f'_{number}' if number else ''}/"
        if layer is None:
            yield Group(f"{here}vars", name)
        else:
            yield from _walk_layer(layer, here, (*owners, name))


def _walk_layer(layer: nnx.Module, path: str, owners: tuple[str, ...]) -> Iterator[Slot | Group]:
    if isinstance(layer, KerasModel):
        yield from _walk(parts_of_model(layer), path, owners)
        return
    yield Group(f"{path}vars", owners[-1])
    if isinstance(layer, layers.Bidirectional):
        for way, one in (("forward", layer.forward_layer), ("backward", layer.backward_layer)):
            name = f"{way}_{snake_case(type(one).__name__)}"
            yield from _walk_layer(one, f"{path}{way}_layer/", (*owners, name))
    elif isinstance(layer, layers.TimeDistributed):
        inner = snake_case(class_name_of(layer.layer))
        yield from _walk_layer(layer.layer, f"{path}layer/", (*owners, inner))
    elif isinstance(layer, layers.Recurrent):
        cell = f"{snake_case(type(layer).__name__)}_cell"
        yield Group(f"{path}cell/vars", cell)
        yield from _weights(layer, f"{path}cell/vars/", owners)
    else:
        yield from _weights(layer, f"{path}vars/", owners)


def _weights(layer: nnx.Module, path: str, owners: tuple[str, ...]) -> Iterator[Slot]:
    found = spec_of(layer)
    names = found[1].weights if found else ()
    present = [name for name in names if getattr(layer, name) is not None]
    for i, name in enumerate(present):
        variable = getattr(layer, name)
        yield Slot(f"{path}{i}", owners, name, isinstance(variable, nnx.Param), variable)
