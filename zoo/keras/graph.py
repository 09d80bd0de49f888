"""A model as Keras describes it: layers by name, and the calls that join them.

Everything here is frozen, so that a graph can be a static part of a Flax module.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple


class Tensor(NamedTuple):
    """One output of one call of a layer; what Keras keeps as `_keras_history`."""

    layer: str
    call: int
    output: int


class Named(NamedTuple):
    """A dictionary, frozen."""

    items: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Input:
    """An input of a model: the shape of one example (None = any size), and the type."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str = "float32"


@dataclass(frozen=True)
class Call:
    """One use of a layer; tensors and constants in `arguments` and `keywords`."""

    layer: str
    index: int
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Graph:
    """A Sequential or Functional model.

    `calls` are in an order in which each finds its inputs computed. `layers` are the names in
    the order that Keras gives them (see `keras_order`), which is what its files count by.
    """

    name: str
    class_name: str
    inputs: tuple[Input, ...]
    input_structure: Any
    calls: tuple[Call, ...]
    outputs: Any
    layers: tuple[str, ...]


def tensors(structure: Any) -> Iterator[Tensor]:
    """The tensors of a nested structure, dictionaries by sorted key as Keras flattens them."""
    if isinstance(structure, Tensor):
        yield structure
    elif isinstance(structure, Named):
        for _, value in sorted(structure.items):
            yield from tensors(value)
    elif isinstance(structure, tuple):
        for value in structure:
            yield from tensors(value)


def map_tensors(function: Callable[[Tensor], Any], structure: Any) -> Any:
    """The structure with each tensor replaced; `Named` becomes a dictionary."""
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, Named):
        return {key: map_tensors(function, value) for key, value in structure.items}
    if isinstance(structure, tuple):
        return [map_tensors(function, value) for value in structure]
    return structure


def call_tensors(call: Call) -> list[Tensor]:
    """The tensors that a call reads."""
    return [*tensors(call.arguments), *tensors(Named(call.keywords))]


def insert_after(graph: Graph, layer: str, new: str) -> Graph:
    """The graph with `new` called on whatever `layer` returns, and read instead of it."""

    def instead(structure: Any) -> Any:
        if isinstance(structure, Tensor):
            return structure._replace(layer=new) if structure.layer == layer else structure
        if isinstance(structure, Named):
            return Named(tuple((key, instead(value)) for key, value in structure.items))
        if isinstance(structure, tuple):
            return tuple(instead(value) for value in structure)
        return structure

    calls: list[Call] = []
    for call in graph.calls:
        keywords = tuple((key, instead(value)) for key, value in call.keywords)
        calls.append(replace(call, arguments=instead(call.arguments), keywords=keywords))
        if call.layer == layer:
            calls.append(Call(new, call.index, (Tensor(layer, call.index, 0),)))
    at = graph.layers.index(layer) + 1
    names = (*graph.layers[:at], new, *graph.layers[at:])
    return replace(graph, calls=tuple(calls), outputs=instead(graph.outputs), layers=names)


def keras_order(
    inputs: tuple[Input, ...], calls: Mapping[tuple[str, int], Call], outputs: Any
) -> tuple[str, ...]:
    """Layer names, inputs included, in the order of `model.layers`.

    Keras sorts by depth, the longest way to an output, deepest first, and among equals by when
    a walk from the outputs back to the inputs first meets a layer. Only what is connected to an
    output counts, and every input.
    """
    first_met: dict[str, int] = {}
    ordered: list[tuple[str, int]] = []
    done: set[tuple[str, int]] = set()

    def sources(node: tuple[str, int]) -> list[tuple[str, int]]:
        return [(t.layer, t.call) for t in call_tensors(calls[node])] if node in calls else []

    for output in tensors(outputs):
        # Depth first, without recursion: a model may be deeper than Python's stack.
        stack = [(output.layer, output.call)]
        entered: set[tuple[str, int]] = set()
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
            elif node in entered:
                done.add(node)
                ordered.append(node)
                stack.pop()
            else:
                entered.add(node)
                first_met.setdefault(node[0], len(first_met))
                stack.extend(reversed([s for s in sources(node) if s not in done]))
    depths: dict[tuple[str, int], int] = {}
    layer_depths: dict[str, int] = {}
    for node in reversed(ordered):
        depth = max(depths.setdefault(node, 0), layer_depths.get(node[0], 0))
        layer_depths[node[0]] = depths[node] = depth
        for source in sources(node):
            depths[source] = max(depth + 1, depths.get(source, 0))
    for unused in inputs:
        if unused.name not in layer_depths:
            layer_depths[unused.name], first_met[unused.name] = 0, -1
    return tuple(sorted(layer_depths, key=lambda name: (-layer_depths[name], first_met[name])))
