"""What real Keras saved is loaded without Keras, and predicts the same."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import zoo.keras
from tests.keras.cases import CASES, Case
from tests.keras.conftest import expected, randomize, real_keras, strict_call

# The contract's bound for float32, on results of the order of 1 to 10.
BOUND = 1e-5


@pytest.fixture(params=["keras", "tf_keras"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    return real_keras(request.param)


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def built(case: Case, library: Any) -> Any:
    library.utils.set_random_seed(1)
    model = case.build(library)
    randomize(model)
    return model


def assert_same_predictions(ours: Any, theirs: list[np.ndarray], inputs: Any) -> None:
    results = strict_call(ours, inputs)
    assert [r.shape for r in results] == [t.shape for t in theirs]
    for result, their in zip(results, theirs, strict=True):
        np.testing.assert_allclose(result, their, rtol=BOUND, atol=BOUND)


@every_case
def test_whole_models(case: Case, library: Any, tmp_path: Path) -> None:
    model = built(case, library)
    theirs = expected(model, case.inputs)
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        assert_same_predictions(zoo.keras.load_model(tmp_path / name), theirs, case.inputs)


@every_case
def test_weights_alone(case: Case, library: Any, tmp_path: Path) -> None:
    model = built(case, library)
    model.save(tmp_path / "model.keras")
    ours = zoo.keras.load_model(tmp_path / "model.keras")
    names = ["w.weights.h5", "w.h5"] if library.__name__ == "tf_keras" else ["w.weights.h5"]
    for seed, name in enumerate(names, 1):
        randomize(model, seed)
        model.save_weights(tmp_path / name)
        zoo.keras.load_weights(ours, tmp_path / name)
        assert_same_predictions(ours, expected(model, case.inputs), case.inputs)


def test_integers_meet_a_batch_norm(keras: Any, tmp_path: Path) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    model = keras.Sequential(
        [keras.Input((4, 4, 3), dtype="uint8"), keras.layers.BatchNormalization()]
    )
    randomize(model)
    model.save(tmp_path / "model.keras")
    ours = zoo.keras.load_model(tmp_path / "model.keras")
    assert_same_predictions(ours, expected(model, pixels), pixels)
