"""Losses, penalties and update rules against plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.models import weights_of
from zoo.training import TrainingConfig
from zoo.training.arrays import weights_of as trees_of
from zoo.training.objective import batch_loss, penalty
from zoo.training.optimizer import learning_rate, make_optimizer

LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-3.0, 1.0, 4.0]], np.float32)
LABELS = np.array([0, 2, 1], np.int32)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0)])
def test_the_loss_of_a_batch(smoothing, weights):
    targets = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
    losses = -(targets * log_softmax(LOGITS)).sum(axis=-1)
    if weights is not None:
        losses = losses * np.array(weights)[LABELS]
    config = TrainingConfig(label_smoothing=smoothing, class_weights=weights)
    ours = batch_loss(config, jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert float(ours) == pytest.approx(losses.mean(), rel=1e-6)


def test_penalties_count_kernels_only(model):
    weights = weights_of(model)
    kernels = [weights["hidden.kernel"], weights["logits.kernel"]]
    expected = sum(0.1 * np.abs(k).sum() + 0.01 * (k**2).sum() for k in kernels)
    ours = penalty(TrainingConfig(l1=0.1, l2=0.01), trees_of(model).params)
    assert float(ours) == pytest.approx(expected, rel=1e-5)
    assert penalty(TrainingConfig(), trees_of(model).params) == 0.0


def test_weight_decay_leaves_biases_and_norms_alone(model):
    config = TrainingConfig(optimizer="sgd", beta_1=0.0, learning_rate=0.5, weight_decay=0.1)
    params = jax.tree.map(jnp.ones_like, trees_of(model).params)
    optimizer = make_optimizer(config, 10)
    updates, _ = optimizer.update(
        jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params
    )
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        decays = "kernel" in jax.tree_util.keystr(path)
        np.testing.assert_allclose(update, -0.05 if decays else 0.0, rtol=1e-6)


def test_adam_against_its_definition():
    config = TrainingConfig(learning_rate=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3)
    optimizer = make_optimizer(config, 10)
    weight = np.array([1.0, -2.0])
    params = {"kernel": jnp.asarray(weight, jnp.float32)}
    state = optimizer.init(params)
    m = v = np.zeros(2)
    for step, gradient in enumerate(np.array([[1.0, -3.0], [0.5, 2.0], [-1.0, 0.1]]), 1):
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        change = 0.1 * (m / (1 - 0.8**step)) / (np.sqrt(v / (1 - 0.9**step)) + 1e-3)
        updates, state = optimizer.update({"kernel": jnp.asarray(gradient)}, state, params)
        np.testing.assert_allclose(updates["kernel"], -change, rtol=1e-5)


def test_gradients_are_clipped_by_their_joint_norm():
    config = TrainingConfig(optimizer="sgd", beta_1=0.0, learning_rate=1.0, clip_norm=1.0)
    optimizer = make_optimizer(config, 10)
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    gradients = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    np.testing.assert_allclose([updates["a"][0], updates["b"][0]], [-0.6, -0.8], rtol=1e-6)


def rates(**options):
    schedule = learning_rate(TrainingConfig(learning_rate=2.0, **options), 10)
    return [float(schedule(step)) for step in range(11)]


def test_schedules():
    assert rates() == [2.0] * 11
    np.testing.assert_allclose(rates(schedule="linear"), np.linspace(2, 0, 11), rtol=1e-6)
    np.testing.assert_allclose(
        rates(schedule="cosine"), 1 + np.cos(np.pi * np.arange(11) / 10), atol=1e-6
    )
    np.testing.assert_allclose(rates(warmup=0.4)[:6], [0.5, 1.0, 1.5, 2.0, 2.0, 2.0])
    np.testing.assert_allclose(
        rates(warmup=0.2, schedule="linear"),
        [1.0, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.0],
    )
