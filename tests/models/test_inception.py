"""Inception v3, its stretches, and the two models around it; tests/keras compares with Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo.explain import count_parameters, layer_table, trace
from zoo.models import TAPS, InceptionV3Config, model_config, set_weights, weights_of

SHAPE = (75, 80, 3)


def small(name, seed=0, **options):
    return zoo.create_model(name, rngs=nnx.Rngs(seed), input_shape=SHAPE, classes=4, **options)


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("inception_v3", {}, 23_851_784),
        ("inception_v3", {"include_top": False}, 21_802_784),
        ("inception_a_gru", {}, 7_791_331),
        ("inception_gru", {}, 21_802_784 + 836_352 + 387),
    ],
)
def test_as_many_parameters_as_published(name, options, parameters):
    model = nnx.eval_shape(lambda: zoo.create_model(name, rngs=nnx.Rngs(0), **options))
    assert count_parameters(model) == parameters


def test_the_table_of_the_report():
    model = zoo.create_model("inception_a_gru", rngs=nnx.Rngs(0), input_shape=(20, 24, 3))
    rows = {row.path: row for row in layer_table(model, (20, 24, 3))}
    counted = {name: row.trainable + row.moving for name, row in rows.items()}
    expected = {"stem": 1_792, "conv1": 2_080, "conv2": 4_160, "conv3": 6_240, "conv4": 41_520}
    expected |= {"conv5": 4_160, "conv6": 36_928, "conv7": 4_160}
    for name, parameters in expected.items():
        assert counted[f"{name}.conv"] == parameters
        assert counted[f"{name}.norm"] == 4 * rows[f"{name}.norm"].output_shape[-1]
    assert rows["pool"].output_shape == rows["stem.relu"].output_shape == (9, 11, 64)
    assert rows["concatenate"].output_shape == (9, 11, 208)
    assert counted["logits"] == (9 * 11 * 208 + 1) * 3


@pytest.mark.parametrize("head", ["flatten", "gru"])
def test_branches_are_joined_in_the_table_s_order(head):
    model = small("inception_a_gru", head=head, width=4, units=5)
    x = jax.random.uniform(jax.random.key(0), (2, *SHAPE))
    outputs = trace(model, x)
    branches = [outputs[f"conv{i}.relu"] for i in (1, 4, 6, 7)]
    np.testing.assert_array_equal(outputs["concatenate"], np.concatenate(branches, -1))
    assert ("gru" in outputs) == (head == "gru")
    if head == "gru":
        positions = outputs["concatenate"].reshape(2, -1, 13)
        np.testing.assert_array_equal(outputs["sequence"], positions)


def test_means_come_before_convolutions_for_who_looks_and_after_them_else():
    model = small("inception_v3", include_top=False, until="mixed0")
    model.eval()
    x = jax.random.uniform(jax.random.key(0), (2, *SHAPE))
    outputs = trace(model, x)
    mean, convolved = outputs["average_pooling2d"], outputs["conv2d_11"]
    assert (mean.shape[-1], convolved.shape[-1]) == (192, 32)  # as in Keras
    np.testing.assert_allclose(
        convolved, mean @ model.conv2d_11.kernel[...][0, 0], rtol=1e-4, atol=1e-5
    )
    averaged = []
    pool = type(model.average_pooling2d)
    call = pool.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "__call__", lambda self, x: averaged.append(x.shape) or call(self, x))
        features = jax.jit(lambda x: model(x))(x)
    assert [shape[-1] for shape in averaged] == [32]
    np.testing.assert_allclose(features, outputs["mixed0"], atol=1e-5)


def test_a_stretch_is_a_part_of_the_whole():
    """Layers keep their names and numbers, so that weights go from the whole into its parts."""
    whole = small("inception_v3", include_top=False, until="mixed1")
    model = small("inception_gru", seed=1, until="mixed1", frozen_until="mixed0", units=3)
    model.take_encoder(whole)
    weights = weights_of(whole)
    parts = [weights_of(model.encoder), weights_of(model.head.blocks)]
    assert not parts[0].keys() & parts[1].keys()
    assert weights.keys() == parts[0].keys() | parts[1].keys()
    whole.eval()
    model.eval()
    x = jax.random.normal(jax.random.key(0), (2, *SHAPE))
    taps = jax.jit(lambda x: whole.taps(x))(x)
    features = jax.jit(lambda x: model.encoder(x))(x)
    np.testing.assert_allclose(features, taps["mixed0"], atol=1e-5)
    rest = jax.jit(lambda y: model.head.blocks(y))(features)
    np.testing.assert_allclose(rest, taps["mixed1"], atol=1e-5)
    logits = jax.jit(lambda x: model(x))(x)
    np.testing.assert_allclose(jax.jit(lambda y: model.head(y))(features), logits, atol=1e-6)


def test_taps_of_the_whole_network():
    shapes = nnx.eval_shape(
        lambda: zoo.create_model("inception_v3", rngs=nnx.Rngs(0)).taps(jnp.zeros((1, 299, 299, 3)))
    )
    assert set(shapes) == set(TAPS)
    sides = [shapes[name].shape[1:] for name in TAPS]
    assert sides == [
        *[(35, 35, c) for c in (256, 288, 288)],
        *[(17, 17, 768)] * 5,
        *[(8, 8, c) for c in (1280, 2048, 2048)],
    ]


@pytest.mark.parametrize("pooling", [None, "avg", "max"])
def test_without_top(pooling):
    model = small("inception_v3", include_top=False, until="mixed0", pooling=pooling)
    outputs = trace(model, jax.random.uniform(jax.random.key(0), (2, *SHAPE)))
    feature_map, result = outputs["mixed0"], list(outputs.values())[-1]
    reduced = {None: lambda y: y, "avg": lambda y: y.mean((1, 2)), "max": lambda y: y.max((1, 2))}
    np.testing.assert_allclose(result, reduced[pooling](feature_map), rtol=1e-5)


@pytest.mark.parametrize("name", ["inception_v3", "inception_gru"])
def test_preprocessing_is_that_of_the_weights(name):
    config = model_config(name, input_shape=(80, 76, 3))
    images = np.random.default_rng(0).integers(0, 256, (2, 80, 76, 3), np.uint8)
    expected = images.astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(config.preprocess(jnp.asarray(images)), expected, atol=1e-6)
    assert (config.preprocess(jnp.zeros((1, 32, 32, 3), jnp.uint8)) == -1).all()
    prepared = jnp.asarray(expected, jnp.float32)
    assert config.preprocess(prepared) is prepared


def test_images_of_other_sizes_and_channels():
    config = InceptionV3Config(input_shape=(76, 90, 3))
    grey = jnp.full((2, 30, 40, 1), 255, jnp.uint8)
    opaque = jnp.concatenate([jnp.full((2, 30, 40, 3), 255, jnp.uint8), grey // 2], -1)
    for images in (grey, opaque):
        np.testing.assert_allclose(config.preprocess(images), np.ones((2, 76, 90, 3)), atol=1e-5)
    ramp = jnp.tile(jnp.arange(38, dtype=jnp.uint8)[None, :, None, None], (1, 1, 45, 3))
    rows = np.asarray(config.preprocess(ramp))[0, :, 0, 0]
    inside = (np.arange(76) + 0.5) / 2 - 0.5  # half a pixel, as OpenCV and Pillow count
    np.testing.assert_allclose(rows, inside.clip(0, 37) / 127.5 - 1, atol=1e-5)
    with zoo_error(
        "images must have shape [B, H, W, 3] (or 1 channel, or RGBA for RGB), got shape "
        "(1, 9, 9, 2)."
    ):
        config.preprocess(jnp.zeros((1, 9, 9, 2), jnp.uint8))


def test_what_a_config_refuses():
    for name in ("inception_v3", "inception_gru"):
        with zoo_error("input_shape must be at least 75 pixels high and wide, got (75, 74, 3)."):
            model_config(name, input_shape=(75, 74, 3))
        with zoo_error(
            "unknown block of Inception v3 'mixed11': did you mean 'mixed1' or 'mixed10' or "
            f"'mixed9'? Known: {', '.join(sorted(TAPS))}."
        ):
            model_config(name, until="mixed11")
    with zoo_error("pooling must be None, 'avg' or 'max', got 'mean'."):
        model_config("inception_v3", include_top=False, pooling="mean")
    with zoo_error("pooling is for include_top=False: the top has its own."):
        model_config("inception_v3", pooling="avg")
    with zoo_error("after must not be behind until='mixed2', got 'mixed3'."):
        model_config("inception_gru", until="mixed2", frozen_until="mixed3")
    with zoo_error("head must be 'flatten' or 'gru', got 'lstm'."):
        model_config("inception_a_gru", head="lstm")
    with zoo_error("width must be a multiple of 4, for ¾ of it to be whole, got 6."):
        model_config("inception_a_gru", width=6)
    with zoo_error(
        "input_shape must be at least 3 pixels high and wide for a 3×3 window, got (2, 9, 3)."
    ):
        model_config("inception_a_gru", input_shape=(2, 9, 3))


def test_weights_of_one_go_into_another():
    one, other = (small("inception_v3", seed, until="mixed0") for seed in (0, 1))
    set_weights(other, weights_of(one))
    np.testing.assert_array_equal(other.conv2d_7.kernel[...], one.conv2d_7.kernel[...])
