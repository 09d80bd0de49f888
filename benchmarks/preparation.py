"""A case made ready: its model traced, its weights and data drawn, all of it in a folder.

The layers, their options and how they are joined are read off the model's own forward pass, as
for Keras files; so a new model of the registry needs nothing written here.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx

import zoo.keras
from benchmarks.cases import Case, Targets
from benchmarks.material import KERAS_FILE, Material
from benchmarks.network import INPUT, Layer, Network, UnsupportedError
from zoo.errors import MissingExtraError, ZooError
from zoo.keras.graph import Call, Tensor
from zoo.keras.operations import Operation
from zoo.keras.shapes import tensor_specs
from zoo.keras.tracing import parts_of
from zoo.keras.writing import layer_entry
from zoo.layers import Embedding, EmbeddingBag, Masking
from zoo.models import set_weights, weights_of

# So many batches that Keras's `fit` has an epoch to speak of, in no more memory than this.
BATCHES, DATA_BYTES = 16, 64e6


def network_of(model: nnx.Module) -> Network:
    """The network of a model whose arithmetic all happens in layers.

    Raises:
        UnsupportedError: the model computes outside its layers, calls a layer twice, or has several
            results, so that no peer can be told what to build.
    """
    try:
        parts = parts_of(model)
    except ZooError as error:
        raise UnsupportedError(str(error)) from error
    graph = parts.graph
    if not isinstance(graph.outputs, Tensor) or len({c.layer for c in graph.calls}) < len(
        graph.calls
    ):
        raise UnsupportedError(f"{graph.name} has several results or calls a layer twice.")
    specs = tensor_specs(parts)

    def place(tensor: Tensor) -> str:
        return INPUT if tensor.layer == graph.inputs[0].name else tensor.layer

    def layer_of(call: Call) -> Layer:
        layer = parts.layers[call.layer]
        flat = [
            argument
            for given in call.arguments
            for argument in (
                given if isinstance(given, tuple) and not _is_tensor(given) else [given]
            )
        ]
        sources = [argument for argument in flat if _is_tensor(argument)]
        mask = dict(call.keywords).get("mask")
        options = layer_entry(layer, call.layer, {})["config"]
        if isinstance(layer, Operation):
            constants = [argument for argument in flat if not _is_tensor(argument)]
            options = {**options, "constants": constants}
        shapes = (*(specs[source][0][1:] for source in sources), specs[_result(call)][0][1:])
        return Layer(
            call.layer,
            type(layer).__name__ if not isinstance(layer, Operation) else layer.class_name,
            options,
            tuple(map(place, sources)),
            None if mask is None else place(mask),
            tuple(tuple(side or 0 for side in shape) for shape in shapes),
        )

    return Network(tuple(map(layer_of, graph.calls)), place(graph.outputs))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _result(call: Call) -> Tensor:
    return Tensor(call.layer, call.index, 0)


def write_material(case: Case, folder: Path, *, batches: int = BATCHES) -> Material:
    """Makes the model of a case, draws its data, and saves both.

    The same case gives the same material. Biases and moving statistics, which start as zeros and
    ones, are moved a little, so that a peer that mixes them up is found out.
    """
    rng = np.random.default_rng(0)
    model: Any = case.make(rngs=nnx.Rngs(0))
    model.eval()
    weights = {name: _moved(rng, name, value) for name, value in weights_of(model).items()}
    network, why_none = None, ""
    try:
        network = network_of(model)
    except UnsupportedError as error:
        why_none = str(error)
    if case.group in ("models", "seeds"):
        shape = model.config.input_shape
        per_batch = 4.0 * case.batch * float(np.prod(shape))
        count = case.batch * int(max(2, min(batches, DATA_BYTES // per_batch)))
    else:
        shape, count = model.config.input_shape, case.batch
    x = _examples(rng, model, count, shape)
    material = Material(
        case=case.name,
        group=case.group,
        targets=case.targets,
        batch=case.batch,
        network=network,
        why_none=why_none,
        weights=weights,
        x=x,
        y=_targets(rng, case.targets, count, getattr(model.config, "classes", 1)),
        direction=_direction(rng, case, network),
        folder=folder,
    )
    arrays: Any = {f"weights/{name}": value for name, value in weights.items()}
    np.savez(folder / "arrays.npz", x=x, y=material.y, direction=material.direction, **arrays)
    (folder / "network.json").write_text(network.to_json() if network else "null")
    (folder / "case.json").write_text(
        json.dumps(
            {
                "case": case.name,
                "group": case.group,
                "targets": case.targets,
                "batch": case.batch,
                "why_none": why_none,
            }
        )
    )
    if network is not None:
        set_weights(model, weights)
        with contextlib.suppress(MissingExtraError):  # without h5py, Keras's rows say so
            zoo.keras.save_model(model, folder / KERAS_FILE)
    return material


def _moved(rng: np.random.Generator, name: str, value: np.ndarray) -> np.ndarray:
    if not np.issubdtype(value.dtype, np.floating) or value.size == 0:
        return value
    kind = name.rsplit(".", 1)[-1]
    if kind in ("gamma", "variance", "moving_variance"):
        return (value * rng.uniform(0.8, 1.25, value.shape)).astype(value.dtype)
    if kind == "bias" and value.ndim == 2:  # GRU: several peers have no second, recurrent bias
        noise = np.stack([rng.normal(size=value.shape[1]), np.zeros(value.shape[1])])
        return (value + 0.1 * noise).astype(value.dtype)
    if value.ndim == 1:
        return (value + 0.1 * rng.normal(size=value.shape)).astype(value.dtype)
    return value


def _examples(
    rng: np.random.Generator, model: Any, count: int, shape: tuple[int, ...]
) -> np.ndarray:
    """Ids with padding on the right, or numbers between 0 and 1, padded for a model that masks."""
    modules = [module for _, module in nnx.iter_modules(model)]
    tables = [module for module in modules if isinstance(module, Embedding | EmbeddingBag)]
    padded = any(isinstance(module, Masking) for module in modules)
    if np.issubdtype(np.dtype(getattr(model, "input_dtype", "float32")), np.integer):
        ids = min((table.input_dim for table in tables), default=2)
        x = rng.integers(1, ids, (count, *shape), np.int32)
        padded = True
    else:
        x = rng.uniform(0.01, 1, (count, *shape)).astype(np.float32)
    if padded:
        lengths = rng.integers(max(1, shape[0] // 4), shape[0] + 1, count)
        x[np.arange(shape[0])[None] >= lengths[:, None]] = 0
    return x


def _targets(rng: np.random.Generator, targets: Targets, count: int, classes: int) -> np.ndarray:
    if targets == "classes":
        return rng.integers(0, classes, count, np.int32)
    return rng.uniform(size=(count, classes)) < 0.3


def _direction(rng: np.random.Generator, case: Case, network: Network | None) -> np.ndarray:
    if network is None or case.group in ("models", "seeds"):
        return np.zeros(0, np.float32)
    shape = next(layer.shapes[-1] for layer in network.layers if layer.name == network.output)
    return rng.normal(size=(case.batch, *shape)).astype(np.float32)
