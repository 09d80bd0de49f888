"""From one format of Keras, or safetensors, to another."""

import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from zoo.errors import ZooError, require
from zoo.keras.files import KerasFile, open_keras_file
from zoo.keras.legacy import stored_layers
from zoo.keras.legacy_writing import write_legacy_model
from zoo.keras.loading import load_model, load_weights
from zoo.keras.model import KerasModel
from zoo.keras.slots import parts_of_model, slots
from zoo.keras.wording import listed
from zoo.keras.writing import replace_file, save_model, save_weights

ENDINGS = (".keras", ".weights.h5", ".h5", ".safetensors")


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Writes a Keras file as another one; the ending of `target` says which.

    Args:
        source: a `.keras` file or folder, a whole-model `.h5`; or weights alone (`.weights.h5`,
            `.h5`, `.safetensors`), where `target` is an existing `.keras` file, whose weights
            are replaced, or `.safetensors`.
        target: `.keras` (a whole model), `.weights.h5`, `.h5` (a whole model as Keras 3 writes
            it in the legacy format) or `.safetensors` (weights under their paths in Keras 3).

    Raises:
        FileNotFoundError: there is no such source.
        ZooError: an ending that is not one of these, or what reading and writing raise.
    """
    ending = _ending(target)
    if str(source).endswith(".safetensors") or _is_weights(source):
        _convert_weights(source, Path(target), ending)
        return
    model = load_model(source)
    if ending == ".keras":
        save_model(model, target)
    elif ending == ".weights.h5":
        save_weights(model, target)
    elif ending == ".h5":
        replace_file(Path(target), write_legacy_model(parts_of_model(model)))
    else:
        arrays = {s.path: np.asarray(s.variable[...]) for s in slots(parts_of_model(model))}
        replace_file(Path(target), _safetensors(arrays))


def _ending(target: str | os.PathLike[str]) -> str:
    for ending in ENDINGS:
        if str(target).endswith(ending):
            return ending
    raise ZooError(f"OUT must end in one of {', '.join(ENDINGS)}, got {os.fspath(target)!r}.")


def _is_weights(source: str | os.PathLike[str]) -> bool:
    with open_keras_file(source) as file:
        return file.config is None


def _convert_weights(source: str | os.PathLike[str], target: Path, ending: str) -> None:
    if ending == ".safetensors" and not str(source).endswith(".safetensors"):
        with open_keras_file(source) as file:
            replace_file(target, _safetensors(_arrays(file)))
        return
    if ending != ".keras" or not target.exists():
        raise ZooError(
            f"{source} holds weights alone: they can be put into an existing .keras file or "
            f"written as .safetensors, got {os.fspath(target)!r}."
        )
    model = load_model(target)
    if str(source).endswith(".safetensors"):
        _fill_from_safetensors(source, model)
    else:
        load_weights(model, source)
    save_model(model, target)


def _arrays(file: KerasFile) -> dict[str, np.ndarray]:
    if file.root is not None:
        _, problems = stored_layers(file.weights, file.root)
        if problems:
            raise ZooError(f"{file.path} is damaged:{listed(problems)}")
    return {path: np.asarray(file.weights.read(path)) for path in file.weights.datasets}


def _safetensors(arrays: dict[str, np.ndarray]) -> bytes:
    library = require("safetensors.numpy", "train")
    content: bytes = library.save({name: np.asarray(a, order="C") for name, a in arrays.items()})
    return content


def _fill_from_safetensors(source: str | os.PathLike[str], model: KerasModel) -> None:
    library = require("safetensors.numpy", "train")
    try:
        arrays = library.load(Path(source).read_bytes())
    except Exception as error:  # its own error type is not part of its interface
        if isinstance(error, OSError):
            raise
        raise ZooError(f"{source} must be a whole safetensors file: {error}.") from error
    wanted = {slot.path: slot for slot in slots(parts_of_model(model))}
    problems = [f"{path} is not in the model" for path in sorted({*arrays} - {*wanted})]
    problems += [f"{path} is not in the file" for path in sorted({*wanted} - {*arrays})]
    problems += [
        f"{path} must have shape {wanted[path].variable.shape}, got {arrays[path].shape}"
        for path in sorted({*wanted} & {*arrays})
        if wanted[path].variable.shape != arrays[path].shape
    ]
    if problems:
        raise ZooError(f"weights of {source} do not fit the model:{listed(problems)}")
    for path, slot in wanted.items():
        slot.variable.set_value(jnp.asarray(arrays[path], slot.variable.dtype))
