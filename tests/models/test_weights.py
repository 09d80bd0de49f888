"""Weights by name: all of them fit, or nothing changes."""

import jax
import numpy as np
import pytest
from flax import nnx

from tests.functional.cases import zoo_error
from zoo.layers import BatchNormalization, Dense, Dropout
from zoo.models import set_weights, weights_of


class Small(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.blocks = nnx.List([Dense(2, 3, rngs=rngs), Dense(3, 3, use_bias=False, rngs=rngs)])
        self.norm = BatchNormalization(3)
        self.dropout = Dropout(0.5, rngs=rngs)


SHAPES = {
    "blocks.0.bias": (3,),
    "blocks.0.kernel": (2, 3),
    "blocks.1.kernel": (3, 3),
    "norm.beta": (3,),
    "norm.gamma": (3,),
    "norm.moving_mean": (3,),
    "norm.moving_variance": (3,),
}


def weights(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def same(actual, expected):
    assert sorted(actual) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value)


def test_parameters_and_moving_statistics_by_their_path():
    ours = weights_of(Small())
    assert {name: value.shape for name, value in sorted(ours.items())} == SHAPES
    assert all(isinstance(value, np.ndarray) for value in ours.values())


def test_round_trip():
    model = Small()
    set_weights(model, weights())
    same(weights_of(model), weights())
    np.testing.assert_array_equal(model.blocks[1].kernel[...], weights()["blocks.1.kernel"])
    np.testing.assert_array_equal(model.norm.moving_mean[...], weights()["norm.moving_mean"])


def test_the_model_s_dtype_is_kept():
    model = Small()
    set_weights(model, {name: value.astype(np.float16) for name, value in weights().items()})
    assert all(value.dtype == np.float32 for value in weights_of(model).values())


def test_other_weights_are_copies():
    model = Small()
    before = weights_of(model)
    kept = {name: value.copy() for name, value in before.items()}
    set_weights(model, weights())
    same(before, kept)


def test_one_error_lists_all_that_does_not_fit_and_nothing_is_changed():
    model = Small()
    before = weights_of(model)
    wrong = weights()
    wrong["norm.delta"] = wrong.pop("norm.beta")
    wrong["blocks.1.kernel"] = np.zeros((3, 4), np.float32)
    wrong["blocks.0.bias"] = np.zeros(1, np.float32)  # it would broadcast
    with zoo_error(
        "weights do not fit Small: norm.delta is not in the model; norm.beta is not in the "
        "weights; blocks.0.bias must have shape (3,), got (1,); blocks.1.kernel must have shape "
        "(3, 3), got (3, 4)."
    ):
        set_weights(model, wrong)
    same(weights_of(model), before)


def test_what_is_no_number_changes_nothing():
    model = Small()
    before = weights_of(model)
    wrong = {**weights(), "norm.moving_variance": np.array(["a", "b", "c"])}
    with pytest.raises((TypeError, ValueError)):
        set_weights(model, wrong)
    same(weights_of(model), before)


def test_keys_and_counters_are_no_weights():
    model = Small()
    set_weights(model, weights())
    assert not any(name.startswith("dropout") for name in weights_of(model))
    assert jax.tree.leaves(nnx.state(model, nnx.RngState))  # though there are some
