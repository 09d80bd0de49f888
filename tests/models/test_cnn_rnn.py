"""The CNN-RNN: its search against its own paths, and its equations in NumPy."""

import itertools
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional import reference
from tests.functional.cases import zoo_error
from zoo.functional.label_paths import full_width
from zoo.models import weights_of

CLASSES, END = 3, 3
SIZES = {"input_shape": (8, 8, 1), "classes": CLASSES, "features": 6, "units": 5, "embedding": 4}
IMAGES = np.asarray(jax.random.uniform(jax.random.key(0), (4, 8, 8, 1)))
PATHS = [path for length in range(CLASSES + 1) for path in itertools.permutations(range(3), length)]


@cache
def model(recurrent="wang_lstm", **options):
    made = zoo.create_model("cnn_rnn", rngs=nnx.Rngs(0), recurrent=recurrent, **SIZES, **options)
    # Larger than at first, so that labels and steps differ.
    made.decoder.labels.embeddings[...] = made.decoder.labels.embeddings[...] * 4
    made.decoder.project_image.kernel[...] = made.decoder.project_image.kernel[...] * 3
    made.eval()
    return made


def along(model, path):
    tokens = jnp.asarray([[*path, *[END] * (CLASSES - len(path))]] * len(IMAGES))
    return np.asarray(model(IMAGES, tokens).log_p)


@pytest.mark.parametrize("recurrent", ["wang_lstm", "lstm"])
def test_a_path_s_probability_is_the_paper_s_equation(recurrent):
    made = model(recurrent)
    weights = {name: value.astype(np.float64) for name, value in weights_of(made).items()}
    embeddings, image = (
        weights["decoder.labels.embeddings"],
        np.asarray(made.encoder(IMAGES), np.float64),
    )
    path = (2, 0)
    words = np.repeat(embeddings[[[END, *path, END]]], len(IMAGES), axis=0)
    outputs, _ = reference.recurrent(
        recurrent,
        tuple(
            weights[f"decoder.recurrent.{name}"] for name in ("kernel", "recurrent_kernel", "bias")
        ),
        words,
        activation="relu" if recurrent == "wang_lstm" else "tanh",
    )
    projected = outputs @ weights["decoder.project_path.kernel"]
    projected += (image @ weights["decoder.project_image.kernel"])[:, None]
    scores = np.maximum(projected, 0) @ embeddings.T
    ours = along(made, path)
    for t in range(len(path) + 1):
        free = [token for token in range(END + 1) if token not in path[:t]]
        shares = np.exp(scores[:, t, free])
        expected = np.log(shares / shares.sum(axis=1, keepdims=True))
        np.testing.assert_allclose(ours[:, t, free], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recurrent", ["wang_lstm", "lstm"])
def test_the_search_is_exhaustive_at_full_width(recurrent):
    made = model(recurrent, beam_width=full_width(CLASSES, CLASSES))
    log_p = {
        path: sum(along(made, path)[:, t, token] for t, token in enumerate((*path, END)))
        for path in PATHS
    }
    np.testing.assert_allclose(sum(np.exp(value) for value in log_p.values()), 1, rtol=1e-4)
    found = made.search(IMAGES)
    probabilities = np.array(
        [sum(np.exp(log_p[path]) for path in PATHS if k in path) for k in range(CLASSES)]
    ).T
    for row in range(len(IMAGES)):
        best = max(PATHS, key=lambda path: log_p[path][row])
        assert set(np.flatnonzero(found.labels[row])) == set(best)
    np.testing.assert_allclose(found.probabilities, probabilities, rtol=1e-4)
    np.testing.assert_allclose(
        jax.nn.sigmoid(made(IMAGES)), np.clip(probabilities, 1e-7, 1 - 1e-7), rtol=1e-4
    )


def test_the_gradient_of_a_label_s_probability_is_that_of_its_paths():
    made = model(beam_width=full_width(CLASSES, CLASSES))
    direction = jax.random.normal(jax.random.key(1), (len(IMAGES), CLASSES))
    tokens = np.array([[*path, *[END] * (CLASSES - len(path))] for path in PATHS])
    has = np.array([[k in path for k in range(CLASSES)] for path in PATHS], np.float32)
    graphdef, params, rest = nnx.split(made, nnx.Param, ...)

    def by_search(params):
        return jnp.sum(direction * nnx.merge(graphdef, params, rest)(IMAGES, tokens[:4]).labels)

    def by_all_paths(params):
        called = nnx.merge(graphdef, params, rest)
        probabilities = 0
        for path, labels in zip(tokens, has, strict=True):
            log_p = called(IMAGES, np.tile(path, (len(IMAGES), 1))).log_p
            steps = np.arange(int(labels.sum()) + 1)
            next_tokens = np.append(path, END)[steps]
            p = jnp.exp(jnp.sum(log_p[:, steps, next_tokens], axis=1))
            probabilities += p[:, None] * labels[None]
        return jnp.sum(direction * probabilities)

    ours, expected = jax.jit(jax.grad(by_search))(params), jax.jit(jax.grad(by_all_paths))(params)
    for mine, theirs in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)


def test_there_is_dropout_along_paths_and_none_in_a_search():
    made = zoo.create_model("cnn_rnn", rngs=nnx.Rngs(0), **SIZES)
    made.encoder.eval()  # its normalisation would differ too
    assert (along(made, (0,)) != along(made, (0,))).any()
    np.testing.assert_array_equal(made(IMAGES), made(IMAGES))


def test_a_search_is_as_long_as_it_was_made():
    short = model(max_labels=1).search(IMAGES)
    assert short.path.shape == (len(IMAGES), 1)
    assert (np.asarray(short.labels).sum(axis=1) <= 1).all()


def test_the_baseline_is_sigmoids_on_the_same_encoder():
    made = zoo.create_model(
        "multilabel_cnn", rngs=nnx.Rngs(0), input_shape=(8, 8, 1), features=6, hidden=5, classes=3
    )
    made.eval()
    weights = weights_of(made)
    hidden = np.asarray(made.encoder(IMAGES)) @ weights["hidden.kernel"] + weights["hidden.bias"]
    logits = np.maximum(hidden, 0) @ weights["logits.kernel"] + weights["logits.bias"]
    np.testing.assert_allclose(made(IMAGES), logits, rtol=1e-5, atol=1e-6)


def test_both_have_the_same_encoder():
    names = {}
    for name in ("cnn_rnn", "multilabel_cnn"):
        made = zoo.create_model(name, rngs=nnx.Rngs(0), input_shape=(8, 8, 1), features=6)
        names[name] = {k: v for k, v in weights_of(made).items() if k.startswith("encoder")}
    assert names["cnn_rnn"].keys() == names["multilabel_cnn"].keys()
    for path, value in names["cnn_rnn"].items():
        np.testing.assert_array_equal(value, names["multilabel_cnn"][path])


@pytest.mark.parametrize("name", ["cnn_rnn", "multilabel_cnn"])
def test_inception_v3_as_the_encoder(name):
    """Its shapes alone: the network itself is tested in tests/keras."""

    def labels(images):
        made = zoo.create_model(
            name, rngs=nnx.Rngs(0), encoder="inception_v3", input_shape=(75, 80, 3), features=6
        )
        made.eval()
        whole = zoo.create_model("inception_v3", rngs=nnx.Rngs(0), include_top=False)
        assert weights_like(made.encoder.inception) == weights_like(whole)
        assert made.encoder.inception.config.pooling == "avg"
        return made.encoder(images), made(images)

    features, logits = jax.eval_shape(labels, jax.ShapeDtypeStruct((2, 75, 80, 3), jnp.float32))
    assert (features.shape, logits.shape) == ((2, 6), (2, 10))


def weights_like(model):
    return {path: value.shape for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"recurrent": "gru"},
            "recurrent must be one of ('wang_lstm', 'lstm'), got 'gru'.",
        ),
        ({"max_labels": 4}, "max_labels must be at most 3, the number of labels, got 4."),
        (
            {"beam_width": 13},
            "width must be at most 12, since there are no more paths of up to 3 of 3 labels to "
            "keep, got 13.",
        ),
        (
            {"encoder": "big_cnn"},
            "unknown encoder 'big_cnn': did you mean 'small_cnn'? Known: inception_v3, small_cnn.",
        ),
        (
            {"encoder": "inception_v3"},
            "input_shape must be at least 75 pixels high and wide, got (8, 8, 1).",
        ),
    ],
)
def test_options_that_do_not_fit(options, message):
    with zoo_error(message):
        zoo.create_model("cnn_rnn", rngs=nnx.Rngs(0), **{**SIZES, **options})
