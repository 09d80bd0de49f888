"""A model as plain data, so that every peer can build the same one.

`benchmarks.preparation` reads it off a model. This file imports nothing but the standard library,
so that a peer's process holds that peer and no more.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

Value = TypeVar("Value")


class UnsupportedError(Exception):
    """A peer has no layer that computes the same; its row says so."""


@dataclass(frozen=True)
class Layer:
    """One layer: its Keras class, the options of its Keras config, and where its inputs come from.

    `inputs` and `mask` are names of layers before it, or `INPUT`. `shapes` are those of the
    inputs and then of the output, without the batch. The weights are arrays named
    `<name>.<weight>`, as `zoo.models.weights_of` gives them.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    inputs: tuple[str, ...]
    mask: str | None
    shapes: tuple[tuple[int, ...], ...]

    @property
    def in_features(self) -> int:
        """The width of the first input."""
        return self.shapes[0][-1]

    def inner(self, direction: str) -> "Layer":
        """One direction, "forward" or "backward", of a Bidirectional."""
        entry = self.options["layer"]
        return Layer(
            f"{self.name}.{direction}_layer",
            entry["class_name"],
            entry["config"],
            self.inputs,
            self.mask,
            self.shapes,
        )


INPUT = "input"


@dataclass(frozen=True)
class Network:
    """Layers, each after those that it needs, and the name of the one that gives the result."""

    layers: tuple[Layer, ...]
    output: str

    def run(self, call: Callable[[Layer, list[Value], Value | None], Value], x: Value) -> Value:
        """The result, where `call(layer, inputs, mask)` computes each layer."""
        values = {INPUT: x}
        for layer in self.layers:
            mask = None if layer.mask is None else values[layer.mask]
            values[layer.name] = call(layer, [values[name] for name in layer.inputs], mask)
        return values[self.output]

    def to_json(self) -> str:
        """As text; `from_json` is the inverse."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Network":
        """The network that `to_json` wrote."""
        data = json.loads(text)
        layers = (
            Layer(
                entry["name"],
                entry["kind"],
                entry["options"],
                tuple(entry["inputs"]),
                entry["mask"],
                tuple(map(tuple, entry["shapes"])),
            )
            for entry in data["layers"]
        )
        return Network(tuple(layers), data["output"])
