"""Real Keras for the tests: Keras 3 on JAX, and Keras 2 (tf_keras) where it is installed."""

import importlib
import os
import warnings
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def real_keras(name: str) -> ModuleType:
    """`keras` (3) or `tf_keras` (2), or a skip that names what is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what their imports warn of is none of our business
        try:
            return importlib.import_module(name)
        except ImportError as error:
            pytest.skip(f"needs the package {error.name or name}")


@pytest.fixture
def keras() -> ModuleType:
    return real_keras("keras")


@pytest.fixture(autouse=True)
def _their_warnings(request: pytest.FixtureRequest) -> Any:
    """Keras warns of what it does itself; ours are errors in the tests without it."""
    if {"keras", "library"} & set(request.fixturenames):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rank = jax.config.jax_numpy_rank_promotion
            jax.config.update("jax_numpy_rank_promotion", "allow")  # Keras itself needs it
            yield
            jax.config.update("jax_numpy_rank_promotion", rank)
    else:
        yield


def randomize(model: Any, seed: int = 0) -> None:
    """Other numbers in every weight, so that no two can be swapped unseen; variances positive.

    They are smaller the more of them are summed, so that results stay of the order of 1. Those that
    a recurrent layer with relu meets at every step must shrink its state, or the state grows with
    the steps, and the rounding of any order of sums with it: Keras itself was 1e-4 from float64.
    """
    rng = np.random.default_rng(seed)
    weights = []
    for variable, weight in zip(model.weights, model.get_weights(), strict=True):
        if not np.issubdtype(weight.dtype, np.floating):
            weights.append(weight)
            continue
        scale = np.prod(weight.shape[:-1]) ** -0.5
        if "recurrent_kernel" in variable.name:
            scale /= 2
        size = rng.uniform(0.5, 1.5, weight.shape) * scale
        weights.append(size * rng.choice([1, -1], weight.shape))
    variances = [("variance" in w.name, w) for w in model.weights]
    model.set_weights(
        [
            np.abs(new).astype(new.dtype) if positive else new
            for new, (positive, _) in zip(weights, variances, strict=True)
        ]
    )
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization computes with copies
            layer.finalize_state()


def expected(model: Any, inputs: Any) -> list[np.ndarray]:
    """What real Keras computes, as a flat list."""
    result = model(inputs, training=False)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(result)]


def strict_call(model: Any, inputs: Any) -> list[np.ndarray]:
    """What ours computes, with no implicit broadcasting of ranks."""
    with jax.numpy_rank_promotion("raise"):
        return [np.asarray(leaf) for leaf in jax.tree.leaves(model(inputs))]
