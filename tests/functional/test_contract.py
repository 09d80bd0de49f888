"""What every function promises alike: dtypes, NumPy input, jit, vmap and gradients.

One table of cases drives it all. What the results should be is tested function by function in
the other files.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

import zoo.functional as F
from tests.functional.cases import BATCH, LAYERS, MASK, WANG_LSTM, cast, sequences
from tests.functional.tolerances import assert_close


class Case(NamedTuple):
    """`call(weights, batch)`; `make(rng)` gives both, batch axis first in all of the second."""

    name: str
    call: Callable[[Any, Any], Any]
    make: Callable[[np.random.Generator], tuple[Any, Any]]
    by_row: bool = True  # an example's result does not depend on the others


def _normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.normal(size=shape))


def _images(rng: np.random.Generator) -> jax.Array:
    """No two values alike, so that a maximum has a gradient."""
    return jnp.asarray(rng.permutation(np.linspace(-2, 2, 3 * 5 * 4 * 2)).reshape(3, 5, 4, 2))


def _batch_norm(training: bool) -> Case:
    def make(rng: np.random.Generator) -> tuple[Any, Any]:
        params = F.BatchNormParams(_normal(rng, 2), _normal(rng, 2))
        stats = F.BatchNormStats(_normal(rng, 2), jnp.asarray(rng.uniform(0.5, 2, 2)))
        return (params, stats), _images(rng)

    def call(weights: Any, x: Any) -> Any:
        y, stats = F.batch_norm(*weights, x, training=training)
        return (y, stats) if training else y

    name = "batch_norm_training" if training else "batch_norm"
    return Case(name, call, make, by_row=not training)


def _recurrent(layer: Any) -> Case:
    def make(rng: np.random.Generator) -> tuple[Any, Any]:
        return layer.params(rng), (sequences(rng), layer.state(rng), jnp.asarray(MASK))

    def call(params: Any, batch: Any) -> Any:
        x, state, mask = batch
        return layer.sequence(params, x, state, mask=mask, **layer.options)

    return Case(layer.name, call, make)


CASES = (
    Case(
        "dense",
        F.dense,
        lambda rng: (F.DenseParams(_normal(rng, 4, 5), _normal(rng, 5)), _normal(rng, 3, 4)),
    ),
    Case(
        "embedding",
        F.embedding,
        lambda rng: (_normal(rng, 6, 2), jnp.asarray(rng.integers(0, 6, (3, 4)))),
    ),
    Case(
        "embedding_bag",
        F.embedding_bag,
        # Default JAX has no 64-bit integers to compare with 0.
        lambda rng: (_normal(rng, 6, 2), jnp.asarray(rng.integers(0, 6, (3, 4)), "int32")),
    ),
    Case(
        "conv2d_few_products",
        lambda params, x: F.conv2d(params, x, strides=(2, 1), padding="same"),
        lambda rng: (F.ConvParams(_normal(rng, 2, 2, 2, 3), _normal(rng, 3)), _images(rng)),
    ),
    Case(
        "conv2d",
        lambda params, x: F.conv2d(params, x, strides=(2, 1), padding="same", groups=2),
        lambda rng: (F.ConvParams(_normal(rng, 3, 2, 1, 4), _normal(rng, 4)), _images(rng)),
    ),
    Case(
        "conv2d_many_products",
        lambda params, x: F.conv2d(params, x, padding="same"),
        lambda rng: (F.ConvParams(_normal(rng, 5, 4, 2, 3), _normal(rng, 3)), _images(rng)),
    ),
    Case(
        "max_pool2d",
        lambda _, x: F.max_pool2d(x, 2, (2, 1), "same"),
        lambda rng: ((), _images(rng)),
    ),
    Case(
        "avg_pool2d",
        lambda _, x: F.avg_pool2d(x, 2, (2, 1), "same"),
        lambda rng: ((), _images(rng)),
    ),
    Case("global_avg_pool2d", lambda _, x: F.global_avg_pool2d(x), lambda rng: ((), _images(rng))),
    Case("global_max_pool2d", lambda _, x: F.global_max_pool2d(x), lambda rng: ((), _images(rng))),
    Case("flatten", lambda _, x: F.flatten(x), lambda rng: ((), _images(rng))),
    Case(
        "conv1d",
        lambda params, x: F.conv1d(params, x, strides=2, padding="causal", groups=3),
        lambda rng: (F.ConvParams(_normal(rng, 2, 1, 6), _normal(rng, 6)), sequences(rng)),
    ),
    Case(
        "depthwise_conv2d",
        F.depthwise_conv2d,
        lambda rng: (F.ConvParams(_normal(rng, 3, 2, 2, 2), _normal(rng, 4)), _images(rng)),
    ),
    Case(
        "separable_conv2d",
        F.separable_conv2d,
        lambda rng: (
            F.SeparableConvParams(
                _normal(rng, 3, 2, 2, 2), _normal(rng, 1, 1, 4, 3), _normal(rng, 3)
            ),
            _images(rng),
        ),
    ),
    Case(
        "layer_norm",
        F.layer_norm,
        lambda rng: (F.LayerNormParams(_normal(rng, 2), _normal(rng, 2)), _images(rng)),
    ),
    Case(
        "standardize",
        lambda stats, x: F.standardize(x, *stats),
        lambda rng: ((_normal(rng, 2), jnp.asarray(rng.uniform(0.5, 2, 2))), _images(rng)),
    ),
    Case(
        "global_avg_pool1d",
        lambda _, batch: F.global_avg_pool1d(*batch),
        lambda rng: ((), (sequences(rng)[:3], jnp.asarray(MASK[:3]))),
    ),
    Case(
        "zero_masked",
        lambda _, batch: F.zero_masked(*batch),
        lambda rng: ((), (sequences(rng), jnp.asarray(MASK))),
    ),
    *(
        Case(
            name,
            lambda _, xs, name=name: getattr(F, name)(xs),
            lambda rng: ((), [_images(rng), _images(rng)]),
        )
        for name in ("add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate")
    ),
    Case(
        "dot",
        lambda _, xs: F.dot(*xs, axes=(2, 1), normalize=True),
        lambda rng: ((), [_normal(rng, 3, 2, 4), _normal(rng, 3, 4)]),
    ),
    *(
        Case(name, lambda _, x, call=call: call(x), lambda rng: ((), _images(rng)))
        for name, call in {
            "relu": lambda x: F.relu(x, max_value=1.5, negative_slope=0.2, threshold=0.3),
            "elu": lambda x: F.elu(x, alpha=0.7),
            "softmax": lambda x: F.softmax(x, axis=(1, 3)),
            "rescale": lambda x: F.rescale(x, 2.0, 1.0),
            "reshape": lambda x: F.reshape(x, (4, -1)),
            "permute": lambda x: F.permute(x, (3, 1, 2)),
            "zero_pad": lambda x: F.zero_pad(x, ((1, 2), (0, 1))),
            "crop": lambda x: F.crop(x, ((1, 2), (0, 1))),
            "upsample2d": lambda x: F.upsample2d(x, (2, 3), "bilinear"),
            "time_distributed": lambda x: F.time_distributed(F.global_max_pool1d, x),
        }.items()
    ),
    *(
        Case(name, lambda _, x, call=call: call(x), lambda rng: ((), sequences(rng)))
        for name, call in {
            "max_pool1d": lambda x: F.max_pool1d(x, 3, 1, "same"),
            "avg_pool1d": lambda x: F.avg_pool1d(x, 3, 1, "same"),
            "global_max_pool1d": F.global_max_pool1d,
            "upsample1d": lambda x: F.upsample1d(x, 3),
        }.items()
    ),
    Case("repeat_vector", lambda _, x: F.repeat_vector(x, 4), lambda rng: ((), _normal(rng, 3, 5))),
    _batch_norm(training=True),
    _batch_norm(training=False),
    Case(
        "dropout",
        lambda _, x: F.dropout(jax.random.key(1, impl="rbg"), x, 0.3),
        lambda rng: ((), _images(rng)),
        by_row=False,
    ),
    Case(
        "bidirectional",
        lambda params, batch: F.bidirectional(F.simple_rnn, *params, batch[0], mask=batch[1]),
        lambda rng: (
            (LAYERS[0].params(rng), LAYERS[0].params(rng)),
            (sequences(rng), jnp.asarray(MASK)),
        ),
    ),
)
# Their other properties have a file of their own.
RECURRENT = tuple(map(_recurrent, (*LAYERS, WANG_LSTM)))

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_and_recurrent = pytest.mark.parametrize("case", CASES + RECURRENT, ids=lambda case: case.name)
seeds = st.integers(0, 2**32 - 1)


def make(case: Case, seed: int) -> tuple[Any, Any]:
    return case.make(np.random.default_rng(seed))


@cache
def compiled(case: Case) -> Any:
    return jax.jit(case.call)


@each_and_recurrent
@pytest.mark.parametrize(
    ("dtype", "wide"),
    [("float32", True), ("bfloat16", False), ("float64", True)],
    ids=["float32", "bfloat16-in-default-jax", "float64"],
)
def test_dtype_is_kept(case: Case, dtype: str, wide: bool) -> None:
    """All floats in, all floats out, as near to the result in float64 as the type can be.

    Where float64 exists a slip into it shows; JAX as it starts has none.
    """
    weights, batch = cast(make(case, 1), dtype)
    expected = compiled(case)(*cast((weights, batch), "float64"))
    with jax.enable_x64(wide):
        actual = compiled(case)(weights, batch)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(actual)} == {dtype}
    if case.name != "dropout" or wide:  # its random bits are others in default JAX
        assert_close(actual, expected)


@each_and_recurrent
def test_numpy_arrays_will_do(case: Case) -> None:
    weights, batch = make(case, 3)
    with jax.disable_jit():
        actual = case.call(*jax.tree.map(np.asarray, (weights, batch)))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(actual))
    assert_close(actual, compiled(case)(weights, batch))


@each
@settings(max_examples=5)
@given(seeds)
def test_jit_equals_eager(case: Case, seed: int) -> None:
    weights, batch = make(case, seed)
    with jax.disable_jit():
        eager = case.call(weights, batch)
    assert_close(compiled(case)(weights, batch), eager)


@cache
def row_by_row(case: Case) -> Any:
    """`case.call` with each example a batch of its own."""

    def one(weights: Any, row: Any) -> Any:
        result = case.call(weights, jax.tree.map(lambda leaf: leaf[None], row))
        return jax.tree.map(lambda leaf: leaf[0], result)

    return jax.jit(jax.vmap(one, in_axes=(None, 0)))


rows = pytest.mark.parametrize(
    "case", [case for case in CASES if case.by_row], ids=lambda case: case.name
)


@rows
@settings(max_examples=5)
@given(seeds)
def test_vmap_equals_batch(case: Case, seed: int) -> None:
    weights, batch = make(case, seed)
    assert_close(row_by_row(case)(weights, batch), compiled(case)(weights, batch))


@rows
def test_an_example_does_not_see_its_neighbours(case: Case) -> None:
    weights, batch = make(case, 4)
    order = np.random.default_rng(5).permutation(jax.tree.leaves(batch)[0].shape[0])
    shuffled, expected = jax.tree.map(
        lambda leaf: np.asarray(leaf)[order], (batch, compiled(case)(weights, batch))
    )
    assert_close(compiled(case)(weights, shuffled), expected)


@each
def test_gradients_are_finite_differences(case: Case) -> None:
    """For the weights and the input."""
    inputs = make(case, 6)
    leaves, tree = jax.tree.flatten(inputs)
    floats = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def call(*values: Any) -> Any:
        filled = list(leaves)
        for i, value in zip(floats, values, strict=True):
            filled[i] = value
        return case.call(*jax.tree.unflatten(tree, filled))

    check_grads(
        jax.jit(call),
        [leaves[i] for i in floats],
        order=1,
        modes="rev",
        atol=1e-5,
        rtol=1e-5,
        eps=1e-5,
    )


def test_every_function_is_in_the_table() -> None:
    """Types, steps (tested with their sequences), pieces of `bidirectional` and paths apart."""
    names = {case.name for case in CASES + RECURRENT} | {"activation", "merge_directions"}
    # A mask is no float, and noise has a file of its own.
    names |= {"steps_other_than", "spatial_dropout", "gaussian_noise"}
    names |= {"beam_search", "path_log_probabilities"}  # in test_label_paths.py
    functions = {name for name in F.__all__ if name.islower() and not name.endswith("_step")}
    assert functions <= names


def test_batch_axis_of_the_table() -> None:
    """The cases are what they claim: one batch axis in front of every array of the batch."""
    for case in CASES:
        sizes = {leaf.shape[0] for leaf in jax.tree.leaves(make(case, 0)[1])}
        assert sizes in ({3}, {BATCH})
