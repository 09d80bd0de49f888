"""Models of texts: padding and the mask, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo.explain import count_parameters

NAMES = ("text_gru", "text_lstm", "text_rnn")
every_model = pytest.mark.parametrize("name", NAMES)
IDS = jnp.asarray([[3, 5, 2, 0, 0, 0], [4, 0, 0, 0, 0, 0], [7, 6, 5, 4, 3, 2]])


def new(name: str, length: int = 6, **options):
    sizes = {"vocabulary": 8, "embedding": 4, "units": 3, "layers": 2, **options}
    model = zoo.create_model(name, rngs=nnx.Rngs(0), input_shape=(length,), **sizes)
    # Larger embeddings than at the start, so that every word counts.
    model.embedding.embeddings[...] = jax.random.normal(jax.random.key(1), (8, 4))
    model.eval()
    return model


@every_model
@pytest.mark.parametrize("bidirectional", [False, True])
def test_with_the_mask_padding_changes_nothing(name, bidirectional):
    options = {"bidirectional": bidirectional, "mask": True}
    with jax.disable_jit():
        padded = new(name, **options)(IDS[:1])
        bare = new(name, length=3, **options)(IDS[:1, :3])
    np.testing.assert_allclose(padded, bare, rtol=1e-5, atol=1e-6)


@every_model
def test_without_the_mask_padding_is_read_like_words(name):
    with jax.disable_jit():
        padded = new(name, bidirectional=False)(IDS[:1])
        bare = new(name, length=3, bidirectional=False)(IDS[:1, :3])
    assert np.abs(padded - bare).max() > 1e-3


@every_model
def test_a_row_of_nothing_but_padding_gives_the_bias_and_leaves_the_others_alone(name):
    model = new(name, mask=True)
    model.logits.bias[...] = jnp.asarray([0.1, 0.2, 0.3])
    with jax.disable_jit():
        alone = model(IDS)
        with_empty = model(jnp.concatenate([IDS, jnp.zeros_like(IDS[:1])]))
    np.testing.assert_allclose(with_empty[-1], [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(with_empty[:-1], alone, rtol=1e-5, atol=1e-6)


def test_as_many_parameters_as_the_table_says():
    model = nnx.eval_shape(lambda: zoo.create_model("text_lstm", rngs=nnx.Rngs(0)))
    # 3,000 · 128; two LSTMs of 4 · ((128 + 64) · 64 + 64); (2 · 64 + 1) · 3
    assert count_parameters(model) == 384_000 + 2 * 49_408 + 387


@every_model
@pytest.mark.parametrize(
    ("x", "got"),
    [
        (IDS[:, :5], "int32 of shape (3, 5)"),
        (IDS[0], "int32 of shape (6,)"),
        (IDS[..., None], "int32 of shape (3, 6, 1)"),
        (IDS.astype(jnp.float32), "float32 of shape (3, 6)"),
    ],
    ids=["length", "one text", "axes", "floats"],
)
def test_a_wrong_input_is_refused(name, x, got):
    with zoo_error(
        f"x must be integer ids of shape ('B', 6), got {got}. Texts become ids by "
        "zoo.data.TextEncoder; another length needs a model created with another input_shape."
    ):
        new(name)(x)


@every_model
@pytest.mark.parametrize("shape", [(28, 28), [100], 100])
def test_a_wrong_input_shape_is_refused(name, shape):
    with zoo_error(f"input_shape must be a tuple (length,), got {shape!r}."):
        zoo.create_model(name, rngs=nnx.Rngs(0), input_shape=shape)


BAGS = jnp.asarray([[[3, 5, 6], [2, 0, 0], [0, 0, 0]], [[0, 0, 0]] * 3])


def bags(words: int = 3, ids: int = 3, **options):
    sizes = {"vocabulary": 8, "embedding": 4, "units": 3, **options}
    model = zoo.create_model("text_ngram_lstm", rngs=nnx.Rngs(0), input_shape=(words, ids), **sizes)
    model.logits.bias[...] = jnp.asarray([0.1, 0.2, 0.3])
    model.wide.embeddings[...] = jax.random.normal(jax.random.key(0), (8, 3))  # it starts at 0
    model.eval()
    return model


def test_each_piece_has_its_vote():
    """Twice the mean vote, by the root of their number: [3], [2] and the n-grams 5, 6."""
    model = bags()
    with jax.disable_jit():
        voted = model(BAGS[:1])
        wide = model.wide
        table, wide.embeddings[...] = wide.embeddings[...], jnp.zeros((8, 3))
        votes = 2 * ((table[3] + table[2]) + (table[5] + table[6])) / np.sqrt(2)
        np.testing.assert_allclose(voted - model(BAGS[:1]), votes[None], rtol=1e-4, atol=1e-6)


def test_padding_of_words_and_of_bags_changes_nothing():
    with jax.disable_jit():
        padded = bags()(BAGS)
        bare = bags(words=2)(BAGS[:1, :2])
        wider = bags(ids=4)(jnp.pad(BAGS[:1], ((0, 0), (0, 0), (0, 1))))
    np.testing.assert_allclose(padded[:1], bare, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(padded[:1], wider, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(padded[1], [0.1, 0.2, 0.3], rtol=1e-6)  # no words: the bias


def test_a_word_s_own_id_counts_as_much_as_all_its_n_grams():
    """The order within the n-grams is nothing, which id comes first is something."""
    with jax.disable_jit():
        one, swapped, first = (
            bags()(BAGS[:1].at[0, 0].set(jnp.asarray(bag)))
            for bag in ([3, 5, 6], [3, 6, 5], [5, 3, 6])
        )
    np.testing.assert_allclose(one, swapped, rtol=1e-5, atol=1e-6)
    assert np.abs(one - first).max() > 1e-4


def test_an_empty_text_in_a_batch_leaves_the_gradients_finite():
    texts = jnp.zeros_like(IDS[:1])
    for model, x in (
        (new("text_lstm", mask=True), jnp.concatenate([IDS, texts])),
        (bags(), BAGS),
    ):
        graphdef, params, rest = nnx.split(model, nnx.Param, ...)

        def loss(params, graphdef=graphdef, rest=rest, x=x):
            return jnp.sum(nnx.merge(graphdef, params, rest)(x) ** 2)

        for name, gradient in nnx.to_flat_state(jax.grad(loss)(params)):
            assert jnp.isfinite(gradient[...]).all(), name


def test_bags_of_another_shape_are_refused():
    with zoo_error("input_shape must be a tuple (words, ids a word), got (100,)."):
        zoo.create_model("text_ngram_lstm", rngs=nnx.Rngs(0), input_shape=(100,))
    with zoo_error(
        "x must be integer ids of shape ('B', 3, 3), got int32 of shape (3, 6). Texts become such "
        "ids by zoo.data.NGramEncoder; other sizes need a model created with another input_shape."
    ):
        bags()(IDS)


def test_a_linear_model_adds_up_the_pieces_votes():
    model = zoo.create_model("text_linear", rngs=nnx.Rngs(0), input_shape=(4,), classes=2)
    kernel = np.asarray(model.logits.kernel[...])
    model.logits.bias[...] = jnp.asarray([0.1, 0.2])
    with jax.disable_jit():
        found = model(jnp.asarray([[0.6, 0, 0.8, 0], [0, 0, 0, 0]]))
    np.testing.assert_allclose(
        found, [0.6 * kernel[0] + 0.8 * kernel[2] + [0.1, 0.2], [0.1, 0.2]], rtol=1e-5
    )


def test_vectors_of_another_shape_or_type_are_refused():
    with zoo_error("input_shape must be a tuple (pieces,), got (6, 3)."):
        zoo.create_model("text_linear", rngs=nnx.Rngs(0), input_shape=(6, 3))
    model = zoo.create_model("text_linear", rngs=nnx.Rngs(0), input_shape=(4,))
    for x in (IDS[:, :4], jnp.zeros((2, 5))):
        with zoo_error(
            f"x must be floating-point vectors of shape ('B', 4), got {x.dtype} of shape {x.shape}."
            " Texts become such vectors by zoo.data.TfidfEncoder; another vocabulary needs a "
            "model created with another input_shape."
        ):
            model(x)
