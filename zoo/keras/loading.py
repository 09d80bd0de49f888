"""Keras files into models."""

import os
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.errors import ZooError
from zoo.keras.config import read_model_config
from zoo.keras.files import KerasFile, open_keras_file
from zoo.keras.legacy import match_layers, stored_layers
from zoo.keras.model import KerasModel
from zoo.keras.slots import Parts, Slot, parts_of_model, slots
from zoo.keras.tracing import parts_of
from zoo.keras.wording import listed

# The state of a training that Keras keeps beside the weights.
_TRAINING = ("optimizer", "metrics", "compile_metrics", "_compile_metrics", "loss", "_loss_tracker")


def load_model(path: str | os.PathLike[str]) -> KerasModel:
    """A model from a `.keras` file (or the folder it was unpacked to) or a whole-model `.h5`.

    Args:
        path: what Keras 2 or 3 saved. Nothing in it is ever run.

    Returns:
        A module in evaluation mode; calling it with arrays gives what Keras's `predict` gives.

    Raises:
        FileNotFoundError: there is no such file.
        ZooError: it is not a Keras file, is damaged or unsafe, or has layers, arguments or
            weights that are not understood or do not fit: one message lists all of them.

    Sequential and Functional models of the layers in `zoo.keras.layer_table` are understood,
    from Keras 2 and 3, models within models and several inputs and outputs included.
    """
    with open_keras_file(path) as file:
        if file.config is None:
            raise ZooError(
                f"{path} must be a whole model, got {file.format}: load them into a model with "
                "zoo.keras.load_weights(model, path)."
            )
        plan = read_model_config(file.config, version=file.version, where=str(path))
        try:
            model = plan.build()
        except ZooError as error:
            raise ZooError(f"{path} has a model that cannot be built: {error}") from error
        _fill(file, parts_of_model(model), same_names=True)
    _start_random_streams(model)
    return model


def load_weights(model: nnx.Module, path: str | os.PathLike[str]) -> None:
    """Fills a model from a `.weights.h5`, a `.keras`, or a legacy `.h5`; all or, on an error, none.

    Args:
        model: one from `load_model`, or any model of the registry.
        path: what Keras 2 or 3 saved, of a model with the same layers in the same order. Files
            of Keras 3 name a weight by its layer's class and number; legacy ones by its layer's
            name, and where these are not the model's, layers are taken in their order.

    Raises:
        FileNotFoundError: there is no such file.
        ZooError: it is not a Keras file, is damaged or unsafe, or a weight is left over, left
            out or of another shape: one message lists all of them.
    """
    with open_keras_file(path) as file:
        _fill(file, parts_of(model), same_names=False)


def _fill(file: KerasFile, parts: Parts, *, same_names: bool) -> None:
    wanted = slots(parts)
    if file.root is None:
        pairs, problems = _match_paths(file, wanted)
    else:
        stored, problems = stored_layers(file.weights, file.root)
        if not problems:
            pairs, problems = match_layers(stored, wanted, same_names=same_names)
    if not problems:
        problems = [p for pair in pairs for p in _misfits(file, *pair)]
    if problems:
        raise ZooError(f"weights of {file.path} do not fit the model:{listed(problems)}")
    read = [(slot, _numbers(file, path, slot)) for path, slot in pairs]
    for slot, numbers in read:
        slot.variable.set_value(numbers)


def _match_paths(
    file: KerasFile, wanted: Iterable[Slot]
) -> tuple[list[tuple[str, Slot]], list[str]]:
    stored = {_today(path): path for path in file.weights.datasets}
    by_path = {slot.path: slot for slot in wanted}
    problems = [
        f"{stored[path]} is not in the model"
        for path in sorted({*stored} - {*by_path})
        if path.split("/")[0] not in _TRAINING and "seed_generator" not in path.split("/")
    ]
    problems += [
        f"{path} ({'/'.join(slot.owners)} {slot.name}) of the model is not in the file"
        for path, slot in by_path.items()
        if path not in stored
    ]
    pairs = [(stored[path], slot) for path, slot in by_path.items() if path in stored]
    return pairs, problems


def _today(path: str) -> str:
    """A path of Keras 2.12 or 2.13 as later versions have it."""
    return path.replace("_layer_checkpoint_dependencies/", "layers/")


def _misfits(file: KerasFile, path: str, slot: Slot) -> list[str]:
    dataset = file.weights.datasets[path]
    place = f"{path} ({'/'.join(slot.owners)} {slot.name})"
    if dataset.shape != slot.variable.shape:
        return [f"{place} must have shape {slot.variable.shape}, got {dataset.shape}"]
    floating = jnp.issubdtype(slot.variable.dtype, jnp.floating)
    if floating != (dataset.dtype.kind in "fV"):
        return [f"{place} must be {slot.variable.dtype}, got {dataset.dtype}"]
    return []


def _numbers(file: KerasFile, path: str, slot: Slot) -> Any:
    # Unlike jnp.asarray, this compiles nothing for a new shape.
    return jax.device_put(np.asarray(file.weights.read(path), slot.variable.dtype))


def _start_random_streams(model: nnx.Module) -> None:
    """Gives dropout and noise their keys, which building without numbers has left out."""
    keys = nnx.state(model, nnx.RngState)
    for seed, (_, variable) in enumerate(nnx.to_flat_state(keys)):
        is_count = isinstance(variable, nnx.RngCount)
        variable.set_value(jnp.zeros((), jnp.uint32) if is_count else jax.random.key(seed))
    nnx.update(model, keys)
