"""Layers that do one thing in training and another in evaluation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo import functional as F
from zoo.layers import BatchNormalization, Dropout

X = jnp.asarray(np.random.default_rng(0).normal(3, 2, (8, 3, 2)), jnp.float32)


class Model(nnx.Module):
    def __init__(self):
        self.norm = BatchNormalization(2, momentum=0.9, epsilon=1e-2)
        self.norm.gamma[...] = jnp.array([0.5, 2.0])
        self.norm.beta[...] = jnp.array([1.0, -1.0])
        self.norm.moving_mean[...] = jnp.array([0.3, -0.2])
        self.norm.moving_variance[...] = jnp.array([0.5, 1.5])
        self.dropout = Dropout(0.25, rngs=nnx.Rngs(0))


@pytest.fixture
def model() -> Model:
    return Model()


def statistics(layer):
    return np.asarray(layer.moving_mean[...]), np.asarray(layer.moving_variance[...])


def test_a_new_layer_is_in_training(model):
    assert not model.norm.use_running_average
    assert not model.dropout.deterministic


def test_batch_norm_in_training_normalises_by_the_batch_and_moves_its_statistics(model):
    y = np.asarray(model.norm(X), np.float64)
    x = np.asarray(X, np.float64).reshape(-1, 2)
    mean, variance = x.mean(0), x.var(0)
    expected = (np.asarray(X) - mean) / np.sqrt(variance + 1e-2) * [0.5, 2.0] + [1.0, -1.0]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    moved = statistics(model.norm)
    np.testing.assert_allclose(moved[0], 0.9 * np.array([0.3, -0.2]) + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(moved[1], 0.9 * np.array([0.5, 1.5]) + 0.1 * variance, rtol=1e-5)


def test_batch_norm_in_evaluation_uses_its_statistics_and_leaves_them(model):
    model.eval()
    before = statistics(model.norm)
    expected = (np.asarray(X) - before[0]) / np.sqrt(before[1] + 1e-2) * [0.5, 2.0] + [1.0, -1.0]
    np.testing.assert_allclose(model.norm(X), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(statistics(model.norm), before)


def test_in_evaluation_nothing_is_written(model):
    """Flax would refuse a write from inside a program to a model that is outside of it."""
    model.eval()
    forward = jax.jit(lambda x: model.dropout(model.norm(x)))
    np.testing.assert_allclose(forward(X), model.norm(X), rtol=1e-5, atol=1e-6)


def test_train_and_eval_switch_back_and_forth(model):
    trained = Model().norm(X)
    model.eval()
    assert not np.array_equal(model.norm(X), trained)
    model.train()
    np.testing.assert_array_equal(model.norm(X), trained)


@pytest.mark.parametrize(("center", "scale"), [(False, True), (True, False), (False, False)])
def test_batch_norm_without_shift_or_scale(center, scale):
    layer = BatchNormalization(2, center=center, scale=scale)
    assert (layer.beta is None, layer.gamma is None) == (not center, not scale)
    assert len(jax.tree.leaves(nnx.state(layer, nnx.Param))) == center + scale
    np.testing.assert_array_equal(layer(X), BatchNormalization(2)(X))


def test_batch_norm_starts_as_the_identity_in_evaluation():
    layer = BatchNormalization(2, epsilon=0.0)
    layer.eval()
    np.testing.assert_allclose(layer(X), X, rtol=1e-6)


def test_dropout_in_training_is_its_function_with_a_new_key_each_call(model):
    keys = nnx.Rngs(0).dropout.fork()
    first, second = model.dropout(X), model.dropout(X)
    np.testing.assert_array_equal(first, F.dropout(keys(), X, 0.25))
    np.testing.assert_array_equal(second, F.dropout(keys(), X, 0.25))
    assert not np.array_equal(first, second)


def test_dropout_in_evaluation_does_nothing(model):
    model.eval()
    np.testing.assert_array_equal(model.dropout(X), X)
    model.train()
    assert not np.array_equal(model.dropout(X), X)


def test_dropout_of_nothing_does_nothing():
    np.testing.assert_array_equal(Dropout(0, rngs=nnx.Rngs(0))(X), X)


def test_two_dropouts_drop_other_values():
    rngs = nnx.Rngs(0)
    ones = jnp.ones((100,))
    assert not np.array_equal(Dropout(0.5, rngs=rngs)(ones), Dropout(0.5, rngs=rngs)(ones))
