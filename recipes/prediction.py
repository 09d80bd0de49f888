"""The model of a finished run, and its word on one example."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import zoo
from zoo.errors import ZooError, require
from zoo.models import set_weights
from zoo.reports import RunFolder
from zoo.training import predict


class LoadedRun(NamedTuple):
    """A trained model, the description of its run, and the folder of both."""

    model: nnx.Module
    description: Mapping[str, Any]
    folder: RunFolder


def load_model(path: Path) -> LoadedRun:
    """The model, seed 0's, of a run folder that `keep_model` has been asked for.

    Raises:
        ZooError: there is no such model, or its weights are not those of its description.
    """
    if not (path / "model.json").is_file():
        raise ZooError(
            f"{path} must be the folder of a finished run of a preset, got no model.json in it."
        )
    folder = RunFolder.existing(path)
    own = RunFolder.existing(path / "runs" / folder.load_json("model.json")["run"])
    description = own.load_json("config.json")
    options = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in description["options"].items()
    }
    model = zoo.create_model(description["model"], rngs=nnx.Rngs(0), **options)
    weights = own.path / "seed-0.safetensors"
    safetensors = require("safetensors", "train")
    try:
        set_weights(model, require("safetensors.numpy", "train").load_file(weights))
    except (OSError, safetensors.SafetensorError) as error:
        raise ZooError(f"{weights} cannot be read: {error}.") from error
    model.eval()
    return LoadedRun(model, description, own)


def print_probabilities(run: LoadedRun, x: np.ndarray) -> None:
    """Predicts one example `[1, ...]` and prints its classes, the most probable first."""
    logits = jnp.asarray(predict(run.model, x)[0])
    probabilities = np.asarray(jax.nn.softmax(logits))
    for i in np.argsort(-probabilities):
        print(f"{probabilities[i]:.4f}  {run.description['classes'][i]}")
