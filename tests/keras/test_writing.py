"""What ours writes real Keras opens, predicts the same, and would have written itself."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import pytest
from flax import nnx

import zoo
import zoo.keras
from tests.keras.cases import CASES, Case
from tests.keras.conftest import expected, randomize, real_keras, strict_call
from zoo.errors import ZooError
from zoo.models.registry import model_config

BOUND = 1e-5
# A search is a loop, and a bag of ids a sum, that Keras has no layer for.
NOT_OF_KERAS_LAYERS = {
    "cnn_rnn": "CNNRNN computes outside its layers",
    "text_ngram_lstm": "Slice has no Keras layer that computes the same",
}
EXPORTED = [name for name in zoo.list_models() if name not in NOT_OF_KERAS_LAYERS]


def datasets(file: Path) -> dict[str, np.ndarray]:
    """Every data set of the weights in a `.keras` or `.weights.h5` file."""
    source: Any = file
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            source = BytesIO(archive.read("model.weights.h5"))
    found = {}
    with h5py.File(source) as opened:
        opened.visititems(
            lambda name, item: found.update({name: item[()]} if hasattr(item, "dtype") else {})
        )
    return found


def assert_same_bytes(ours: Path, theirs: Path) -> None:
    one, other = datasets(ours), datasets(theirs)
    assert sorted(one) == sorted(other)
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        assert values.shape == other[name].shape, name
        assert values.tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_loaded_models(case: Case, keras: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = case.build(keras)
    randomize(model)
    model.save(tmp_path / "theirs.keras")
    model.save_weights(tmp_path / "theirs.weights.h5")
    ours = zoo.keras.load_model(tmp_path / "theirs.keras")
    zoo.keras.save_model(ours, tmp_path / "ours.keras")
    zoo.keras.save_weights(ours, tmp_path / "ours.weights.h5")
    assert_same_bytes(tmp_path / "ours.keras", tmp_path / "theirs.keras")
    assert_same_bytes(tmp_path / "ours.weights.h5", tmp_path / "theirs.weights.h5")
    back = keras.models.load_model(tmp_path / "ours.keras")
    for one, other in zip(expected(back, case.inputs), expected(model, case.inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=BOUND, atol=BOUND)
    randomize(back, 7)
    back.load_weights(tmp_path / "ours.weights.h5")
    for one, other in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


# The others are small as they are; tests/keras/test_inception_v3.py has the whole network.
SMALL: dict[str, dict[str, Any]] = {
    "inception_a_gru": {"input_shape": (9, 11, 3), "width": 4},
    "inception_gru": {"input_shape": (75, 76, 3), "until": "mixed0", "frozen_until": "mixed0"},
    "inception_v3": {"input_shape": (75, 76, 3), "until": "mixed0", "classes": 4},
}


def new(name: str, seed: int = 0) -> Any:
    model: Any = zoo.create_model(name, rngs=nnx.Rngs(seed), **SMALL.get(name, {}))
    model.eval()
    return model


def examples(model: Any) -> np.ndarray:
    """Three of them: images, or texts of which two end in padding."""
    rng, shape = np.random.default_rng(0), model.config.input_shape
    if getattr(model, "input_dtype", "float32") == "float32":
        return rng.uniform(size=(3, *shape)).astype(np.float32)
    ids = rng.integers(1, model.config.vocabulary, (3, *shape)).astype(np.int32)
    return np.where(np.arange(*shape) < np.array([[20], [1], [100]]), ids, 0)


@pytest.mark.parametrize("name", EXPORTED)
def test_registry_models(name: str, keras: Any, tmp_path: Path) -> None:
    model = new(name)
    zoo.keras.save_model(model, tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    randomize(theirs)
    x = examples(model)
    theirs.save(tmp_path / "theirs.keras")
    theirs.save(tmp_path / "theirs.h5")
    for file in ("theirs.keras", "theirs.h5"):
        filled = new(name, 1)
        zoo.keras.load_weights(filled, tmp_path / file)
        (logits,) = strict_call(filled, x)
        np.testing.assert_allclose(logits, expected(theirs, x)[0], rtol=BOUND, atol=BOUND)
    zoo.keras.save_model(filled, tmp_path / "again.keras")
    assert_same_bytes(tmp_path / "again.keras", tmp_path / "theirs.keras")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    zoo.keras.save_weights(filled, tmp_path / "again.weights.h5")
    assert_same_bytes(tmp_path / "again.weights.h5", tmp_path / "theirs.weights.h5")


@pytest.mark.parametrize("name", EXPORTED)
def test_registry_models_come_back_without_keras(name: str, tmp_path: Path) -> None:
    model = new(name)
    zoo.keras.save_model(model, tmp_path / "model.keras")
    x = examples(model)
    back = zoo.keras.load_model(tmp_path / "model.keras")
    # These two compute a mean and a convolution in the other order than the file says.
    rounded = name in ("inception_v3", "inception_gru")
    np.testing.assert_allclose(back(x), model(x), rtol=1e-5 if rounded else 0)


@pytest.mark.parametrize(("name", "says"), NOT_OF_KERAS_LAYERS.items())
def test_registry_models_that_keras_has_no_layers_for(name: str, says: str, tmp_path: Path) -> None:
    model = new(name)
    for save, file in (
        (zoo.keras.save_model, "model.keras"),
        (zoo.keras.save_weights, "model.weights.h5"),
    ):
        with pytest.raises(ZooError, match=says):
            save(model, tmp_path / file)
        assert not (tmp_path / file).exists()


def test_layers_keep_their_training_arguments(keras: Any, tmp_path: Path) -> None:
    k = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            k.LSTM(4, dropout=0.25, kernel_regularizer=keras.regularizers.L2(0.01), name="a"),
            k.Dense(2, kernel_initializer="he_normal", trainable=False, name="b"),
        ]
    )
    model.save(tmp_path / "theirs.keras")
    zoo.keras.save_model(zoo.keras.load_model(tmp_path / "theirs.keras"), tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    recurrent, dense = back.layers
    assert recurrent.dropout == 0.25
    assert float(recurrent.cell.kernel_regularizer.l2) == pytest.approx(0.01)
    assert type(dense.kernel_initializer).__name__ == "HeNormal"
    assert not dense.trainable


def test_a_file_of_keras2_becomes_one_of_keras3(keras: Any, tmp_path: Path) -> None:
    keras2 = real_keras("tf_keras")
    k = keras2.layers
    model = keras2.Sequential(
        [
            keras2.Input((6,), dtype="int32"),
            k.Embedding(9, 4, mask_zero=True),
            k.Bidirectional(k.GRU(3, return_sequences=True, dropout=0.1)),
            k.TimeDistributed(k.Dense(3)),
            k.GlobalMaxPooling1D(),
        ]
    )
    randomize(model)
    model.save(tmp_path / "old.h5")
    zoo.keras.save_model(zoo.keras.load_model(tmp_path / "old.h5"), tmp_path / "new.keras")
    ids = np.array([[1, 2, 0, 3, 0, 0], [0, 1, 2, 3, 4, 5]], "int32")
    new = keras.models.load_model(tmp_path / "new.keras")
    np.testing.assert_allclose(expected(new, ids)[0], expected(model, ids)[0], atol=BOUND)


def test_an_activation_that_keras3_lacks_is_refused(tmp_path: Path) -> None:
    keras2 = real_keras("tf_keras")
    model = keras2.Sequential([keras2.Input((3,)), keras2.layers.Dense(2, "hard_sigmoid")])
    model.save(tmp_path / "old.keras")
    ours = zoo.keras.load_model(tmp_path / "old.keras")
    with pytest.raises(ZooError, match=r"dense.*hard_sigmoid of Keras 2"):
        zoo.keras.save_model(ours, tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_a_model_that_computes_outside_its_layers_is_refused(tmp_path: Path) -> None:
    class Outside(nnx.Module):
        def __init__(self) -> None:
            self.config = model_config("mnist_lstm")
            self.dense = zoo.layers.Dense(1, 2, rngs=nnx.Rngs(0))

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.dense(x * 2)

    with pytest.raises(ZooError, match="Outside computes outside its layers what meets dense"):
        zoo.keras.save_model(Outside(), tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("save", "ending"),
    [(zoo.keras.save_model, ".keras"), (zoo.keras.save_weights, ".weights.h5")],
)
def test_wrong_endings(save: Any, ending: str, tmp_path: Path) -> None:
    model = zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0))
    with pytest.raises(ZooError, match=f"path must end in {ending}, got"):
        save(model, tmp_path / "model.h5")


def test_a_model_within_a_loaded_one_is_written_as_it_was(keras: Any, tmp_path: Path) -> None:
    """Its layers are counted by themselves, and its own wiring is call 0 of it."""
    source = keras.Input((4,))
    inner_source = keras.Input((4,))
    inner = keras.Model(inner_source, keras.layers.Dense(4)(inner_source), name="inner")
    model = keras.Model(source, [inner(inner(source)), inner(source)])
    model.save(tmp_path / "theirs.keras")
    ours = zoo.keras.load_model(tmp_path / "theirs.keras")
    zoo.keras.save_model(ours, tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    x = np.ones((2, 4), np.float32)
    for one, other in zip(expected(back, x), expected(model, x), strict=True):
        np.testing.assert_allclose(one, other, atol=BOUND)
