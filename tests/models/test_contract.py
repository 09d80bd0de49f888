"""What every registered model promises, whatever it is made of."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo.explain import count_parameters
from zoo.explain.layer_outputs import recorded_calls
from zoo.models import model_config, set_weights, weights_of

NAMES = zoo.list_models()
TEXT_MODELS = zoo.list_models("text_*")
ID_MODELS = sorted({*TEXT_MODELS} - {"text_linear"})  # that one reads vectors
every_model = pytest.mark.parametrize("name", NAMES)
every_image_model = pytest.mark.parametrize("name", sorted({*NAMES} - {*TEXT_MODELS}))
# Neither square nor grey, so that no axis passes for another; and small, to compile fast.
SHAPE = (6, 8, 2)
CLASSES = 7
BATCH = 5
# What a model needs beyond that. Inception v3 takes no smaller images, and one of its blocks is
# enough here (tests/keras has the whole of it).
OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {"input_shape": (6,)} for name in TEXT_MODELS},
    "text_ngram_lstm": {"input_shape": (6, 3)},
    "inception_a_gru": {"input_shape": (7, 9, 2)},  # of even sides the stem leaves out a pixel
    "inception_v3": {"input_shape": (75, 77, 2), "until": "mixed0"},
    "inception_gru": {"input_shape": (75, 77, 2), "until": "mixed1", "frozen_until": "mixed0"},
}
# Sizes that would only make a model deeper, and slow to compile.
DEPTHS = {"layers": 2, "convolutions": 2, "kernel_size": 3}
LABELS = jnp.arange(BATCH) % CLASSES


def shape(name: str) -> tuple[int, ...]:
    return OPTIONS.get(name, {}).get("input_shape", SHAPE)


@cache
def inputs(name: str) -> jax.Array:
    """Images, vectors, or ids of texts without padding, which may be left out."""
    if name in ID_MODELS:
        return jax.random.randint(jax.random.key(0), (BATCH, *shape(name)), 1, 16)
    return jax.random.uniform(jax.random.key(0), (BATCH, *shape(name)))


def sizes(name: str) -> list[str]:
    """The options of a model that are whole numbers."""
    return [option for option, value in vars(model_config(name)).items() if type(value) is int]


def new(name: str, seed: int = 0) -> Any:
    """A small one: every size of its config is 16, but for its depth."""
    options: dict[str, Any] = {option: DEPTHS.get(option, 16) for option in sizes(name)}
    options |= {"input_shape": SHAPE, "classes": CLASSES}
    return zoo.create_model(name, rngs=nnx.Rngs(seed), **{**options, **OPTIONS.get(name, {})})


@cache
def weights(name: str, seed: int) -> dict[str, np.ndarray]:
    return weights_of(new(name, seed))


@cache
def split(name: str) -> tuple[Any, Any, Any]:
    return nnx.split(new(name), nnx.Param, ...)


@cache
def compiled(name: str) -> Any:
    """`(params, rest, x)` to logits in evaluation: the one way in which all models are called."""
    graphdef = split(name)[0]  # not while tracing: what is kept for later would be tracers

    @jax.jit
    def forward(params: Any, rest: Any, x: jax.Array) -> jax.Array:
        model = nnx.merge(graphdef, params, rest)
        model.eval()
        return model(x)

    return forward


def logits(name: str, x: jax.Array) -> np.ndarray:
    return np.asarray(compiled(name)(*split(name)[1:], x))


def test_there_are_models():
    assert {"fashion_mnist_cnn", "fashion_mnist_lstm", "mnist_lstm"} <= set(NAMES)


@every_model
def test_logits_of_every_class(name):
    y = logits(name, inputs(name))
    assert (y.shape, y.dtype) == ((BATCH, CLASSES), np.float32)
    assert np.isfinite(y).all()
    assert (y < 0).any()  # logits, not probabilities


@every_model
def test_float32_where_jax_has_float64_too(name):
    x = jax.ShapeDtypeStruct(inputs(name).shape, inputs(name).dtype)
    with jax.enable_x64(True):
        model = nnx.eval_shape(lambda: new(name))
        y = nnx.eval_shape(lambda model, x: model(x), model, x)
    weights = jax.tree.leaves(nnx.state(model, (nnx.Param, nnx.BatchStat)))
    assert {str(leaf.dtype) for leaf in (*weights, y)} == {"float32"}


@every_model
def test_the_last_layer_gives_the_logits(name):
    """So that a trace and a workbook have all of a model; but for label paths, which are sought."""
    model, ends = new(name), []
    model.eval()

    def run(x: jax.Array) -> None:
        with recorded_calls(model) as calls:
            ends.append((model(x), calls[-1].output))

    jax.eval_shape(run, inputs(name))
    ((y, last),) = ends
    assert (y is last) == (name != "cnn_rnn")


@every_model
def test_compiled_is_the_same(name):
    model = new(name)
    model.eval()
    np.testing.assert_allclose(
        logits(name, inputs(name)), model(inputs(name)), rtol=1e-4, atol=1e-5
    )


@every_model
def test_every_parameter_learns(name):
    graphdef, params, rest = split(name)
    x = inputs(name)

    @jax.jit
    def gradients(params: Any) -> Any:
        def loss(params: Any) -> jax.Array:
            y = nnx.merge(graphdef, params, rest, copy=True)(x)
            return optax.softmax_cross_entropy_with_integer_labels(y, LABELS).mean()

        return jax.grad(loss)(params)

    leaves = jax.tree_util.tree_leaves_with_path(gradients(params))
    assert len(leaves) == len(jax.tree.leaves(params)) > 0
    still = [jax.tree_util.keystr(path) for path, leaf in leaves if not np.asarray(leaf).any()]
    assert not still
    assert all(np.isfinite(leaf).all() for _, leaf in leaves)


@every_model
def test_in_evaluation_an_example_does_not_depend_on_the_others(name):
    x = inputs(name)
    others = x.at[1:].set(16 - x[1:] if name in ID_MODELS else x[1:] * 0.5 + 0.25)
    one, other = logits(name, inputs(name)), logits(name, others)
    np.testing.assert_allclose(one[0], other[0], rtol=1e-5, atol=1e-6)
    assert np.abs(one[1:] - other[1:]).max() > 0.01 * np.abs(one).max()
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(logits(name, inputs(name)[order]), one[order], rtol=1e-5, atol=1e-6)


@every_image_model
def test_every_pixel_counts(name):
    """A row, a column or a channel left out would be one without a gradient."""
    _, params, rest = split(name)
    mixed = jax.random.normal(jax.random.key(1), (BATCH, CLASSES))
    gradient = jax.grad(lambda x: (compiled(name)(params, rest, x) * mixed).sum())(inputs(name))
    assert np.asarray(gradient).any(0).mean() > 0.9
    for axis in range(3):
        others = tuple(a for a in range(4) if a != axis + 1)
        assert np.asarray(gradient).any(others).all()


@every_model
def test_the_seed_decides(name):
    first, again, other = weights(name, 0), weights_of(new(name, 0)), weights(name, 1)
    assert first.keys() == again.keys() == other.keys()
    for path in first:
        np.testing.assert_array_equal(first[path], again[path])
    for path, value in first.items():
        if "kernel" in path:
            assert not np.array_equal(value, other[path]), path


@every_model
def test_weights_go_from_one_model_into_another(name):
    target = new(name, 1)
    set_weights(target, weights(name, 0))
    for path, value in weights_of(target).items():
        np.testing.assert_array_equal(value, weights(name, 0)[path])
    _, params, rest = nnx.split(target, nnx.Param, ...)
    np.testing.assert_array_equal(
        compiled(name)(params, rest, inputs(name)), logits(name, inputs(name))
    )


@every_model
def test_a_batch_of_one_and_of_none(name):
    np.testing.assert_allclose(
        logits(name, inputs(name)[:1]), logits(name, inputs(name))[:1], rtol=1e-5, atol=1e-6
    )
    empty = jax.eval_shape(compiled(name), *split(name)[1:], inputs(name)[:0])
    assert empty.shape == (0, CLASSES)


@every_image_model
@pytest.mark.parametrize("kind", ["channels", "swapped", "one image", "bytes"])
def test_a_wrong_input_is_refused(name, kind):
    right = inputs(name)
    x = {
        "channels": right[..., :1],
        "swapped": right.swapaxes(1, 2),
        "one image": right[0],
        "bytes": (right * 255).astype(jnp.uint8),
    }[kind]
    own = hasattr(model_config(name), "preprocess")
    prepare = "config.preprocess" if own else "zoo.data.unit_range"
    with zoo_error(
        f"x must be floating-point images of shape {('B', *shape(name))}, got {x.dtype} of shape "
        f"{x.shape}. Bytes become floats by {prepare}; another size needs a model "
        "created with another input_shape."
    ):
        new(name)(x)


@every_image_model
@pytest.mark.parametrize("wrong", [(28, 28), [28, 28, 1], 28])
def test_a_wrong_input_shape_is_refused(name, wrong):
    with zoo_error(f"input_shape must be a tuple (height, width, channels), got {wrong!r}."):
        zoo.create_model(name, rngs=nnx.Rngs(0), input_shape=wrong)


@every_model
def test_a_wrong_size_is_refused(name):
    last = {"text_ngram_lstm": "ids", "text_linear": "pieces"}.get(
        name, "length" if name in TEXT_MODELS else "channels"
    )
    with zoo_error(f"{last} must be a positive integer, got 0."):
        zoo.create_model(name, rngs=nnx.Rngs(0), input_shape=(*shape(name)[:-1], 0))
    for option in sizes(name):
        with zoo_error(f"{option} must be a positive integer, got 0."):
            zoo.create_model(name, rngs=nnx.Rngs(0), **{option: 0})


# Counted from the reports' tables.
PARAMETERS = {
    "cifar10_cnn": 356_810,
    "fashion_mnist_cnn": 697_130,
    "fashion_mnist_lstm": 216_426,
    "mnist_lstm": 81_674,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_as_many_parameters_as_in_the_report(name):
    model = nnx.eval_shape(lambda: zoo.create_model(name, rngs=nnx.Rngs(0)))
    assert (
        sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) == PARAMETERS[name]
    )
    assert count_parameters(model) == PARAMETERS[name]
    assert model.config.input_shape == ((32, 32, 3) if name == "cifar10_cnn" else (28, 28, 1))
    assert model.config.classes == 10


def test_an_image_too_small_for_the_windows():
    with zoo_error(
        "input_shape must be at least 4 pixels high and wide for a 3×3 window and a 2×2 "
        "pooling, got (3, 28, 1)."
    ):
        zoo.create_model("fashion_mnist_cnn", rngs=nnx.Rngs(0), input_shape=(3, 28, 1))


def test_blocks_of_several_convolutions():
    def deep(**options):
        return zoo.create_model("cifar10_cnn", rngs=nnx.Rngs(0), filters=(2, 3), **options)

    model = nnx.eval_shape(lambda: deep(convolutions=(1, 2)))
    kernels = [layer.kernel.shape for block in model.blocks for layer in block.convolutions]
    assert kernels == [(3, 3, 3, 2), (3, 3, 2, 3), (3, 3, 3, 3)]
    with zoo_error(
        "convolutions must be one number, or one for each of the 2 blocks, got (1, 2, 1)."
    ):
        deep(convolutions=(1, 2, 1))
    with zoo_error("convolutions must be a positive integer, got 0."):
        deep(convolutions=(1, 0))


def test_centred_pixels():
    def small(**options):
        return zoo.create_model(
            "cifar10_cnn", rngs=nnx.Rngs(0), input_shape=(8, 8, 3), filters=(2,), **options
        )

    x = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    centred = small(pixel_mean=0.5, pixel_deviation=0.25)
    np.testing.assert_allclose(centred(x), small()((x - 0.5) / 0.25), rtol=1e-5, atol=1e-6)
    with zoo_error("pixel_deviation must be more than 0, got 0."):
        small(pixel_deviation=0)
    with zoo_error("pixel_mean must be a finite number, got 'grey'."):
        small(pixel_mean="grey")
