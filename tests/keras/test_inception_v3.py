"""Inception v3 against Keras's application, with numbers that no two weights share."""

from functools import cache
from typing import Any

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.keras.conftest import randomize, real_keras
from zoo.errors import ZooError
from zoo.keras import load_weights, save_weights
from zoo.models import TAPS, weights_of

CLASSES = 5
SHAPE = (128, 96, 3)


@cache
def theirs(include_top: bool, library: str = "keras", shape: tuple[int, ...] = SHAPE) -> Any:
    """A real Keras model."""
    keras = real_keras(library)
    keras.backend.clear_session()
    if library == "tf_keras":  # in the official files, layers are numbered from 1
        image = keras.Input((9, 9, 3))
        keras.layers.BatchNormalization()(keras.layers.Conv2D(1, 1)(image))
    model = keras.applications.InceptionV3(
        include_top=include_top, weights=None, input_shape=shape, classes=CLASSES
    )
    randomize(model)
    return model


def ours(seed: int = 0, shape: tuple[int, int, int] = SHAPE, **options: Any) -> Any:
    return zoo.create_model(
        "inception_v3", rngs=nnx.Rngs(seed), input_shape=shape, classes=CLASSES, **options
    )


def same_weights(model: Any, keras_model: Any) -> None:
    found = weights_of(model)
    stored = {
        f"{layer.name}.{weight.name.split('/')[-1].split(':')[0]}": np.asarray(weight)
        for layer in keras_model.layers
        for weight in layer.weights
    }
    if "conv2d" not in {layer.name for layer in keras_model.layers}:  # numbered from 1
        stored = {_from_zero(name): array for name, array in stored.items()}
    assert sorted(found) == sorted(stored)
    for name, array in stored.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def _from_zero(name: str) -> str:
    layer, weight = name.split(".")
    kind, _, number = layer.rpartition("_")
    if not number.isdigit():
        return name
    return f"{kind}_{int(number) - 1}.{weight}" if number != "1" else f"{kind}.{weight}"


@pytest.mark.parametrize("shape", [SHAPE, (299, 299, 3)], ids=str)
def test_logits_and_every_tap_equal_keras_s(keras, tmp_path, shape):
    reference = theirs(True, shape=shape)
    reference.save_weights(tmp_path / "inception.weights.h5")
    model = ours(shape=shape)
    load_weights(model, tmp_path / "inception.weights.h5")
    model.eval()

    probe = keras.Model(
        reference.inputs,
        [*(reference.get_layer(name).output for name in TAPS), reference.output],
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *shape), np.uint8)
    prepared = np.asarray(model.config.preprocess(jnp.asarray(images)))
    np.testing.assert_allclose(
        prepared,
        keras.applications.inception_v3.preprocess_input(images.astype("float32")),
        atol=1e-6,
    )
    *expected, probabilities = probe.predict(prepared, verbose=0)
    graphdef, state = nnx.split(model)

    @jax.jit
    def forward(state, x):
        model = nnx.merge(graphdef, state)
        return model.taps(x), model(x)

    with jax.numpy_rank_promotion("raise"):
        taps, logits = forward(state, prepared)
    assert set(taps) == set(TAPS)
    for name, values in zip(TAPS, expected, strict=True):
        assert np.std(values) > 0.01, name  # nothing has died out on the way
        np.testing.assert_allclose(taps[name], values, atol=1e-4, rtol=1e-4, err_msg=name)
    top = reference.get_layer("predictions")
    theirs_logits = expected[-1].mean((1, 2)) @ np.asarray(top.kernel) + np.asarray(top.bias)
    np.testing.assert_allclose(logits, theirs_logits, atol=1e-4)
    np.testing.assert_allclose(jax.nn.softmax(logits), probabilities, atol=1e-5)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
@pytest.mark.parametrize("include_top", [True, False], ids=["top", "no top"])
def test_weights_come_in_from_every_file(keras, tmp_path, ending, include_top):  # noqa: ARG001
    reference = theirs(include_top)
    path = tmp_path / f"inception{ending}"
    reference.save_weights(path) if ending == ".weights.h5" else reference.save(path)
    model = ours(include_top=include_top)
    load_weights(model, path)
    same_weights(model, reference)


@pytest.mark.parametrize("include_top", [True, False], ids=["top", "no top"])
def test_a_file_like_the_official_ones(keras, tmp_path, include_top):  # noqa: ARG001
    """Written by Keras 2, layers numbered from 1."""
    reference = theirs(include_top, "tf_keras")
    path = tmp_path / "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
    reference.save_weights(path)
    with h5py.File(path) as file:
        assert "conv2d_94" in [str(name) for name in file.attrs["layer_names"]]
    model = ours(include_top=include_top)
    load_weights(model, path)
    same_weights(model, reference)


def test_keras_reads_what_is_written_here(keras, tmp_path):  # noqa: ARG001
    model = ours(seed=3, include_top=False)
    save_weights(model, tmp_path / "ours.weights.h5")
    reference = theirs(False)
    before = reference.get_weights()
    reference.load_weights(tmp_path / "ours.weights.h5")
    same_weights(model, reference)
    reference.set_weights(before)


def test_top_and_no_top_are_told_apart(keras, tmp_path):  # noqa: ARG001
    for library, ending in (("keras", ".weights.h5"), ("tf_keras", ".h5")):
        for include_top in (True, False):
            path = tmp_path / f"{include_top}{ending}"
            theirs(include_top, library).save_weights(path)
            model = ours(include_top=not include_top)
            before = weights_of(model)
            with pytest.raises(ZooError, match="predictions" if library == "tf_keras" else "dense"):
                load_weights(model, path)
            for name, array in weights_of(model).items():
                np.testing.assert_array_equal(array, before[name])
