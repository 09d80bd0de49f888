"""Objectives for several labels against plain NumPy, and models that are trained for them."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.data import Split
from zoo.errors import ZooError
from zoo.functional import path_log_probabilities
from zoo.layers import Dense, Embedding
from zoo.layers.label_paths import PathProbabilities
from zoo.training import (
    IndependentLabels,
    LabelPaths,
    TrainingConfig,
    evaluate,
    fit,
    predict,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
Y = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0]], bool)
END = 4


class Recorder:
    """A model of paths that gives fixed scores, and keeps the paths it was called with."""

    def __init__(self, steps):
        self.scores = RNG.normal(size=(len(Y), steps, END + 1)).astype(np.float32)
        self.labels = RNG.uniform(0.1, 0.9, size=Y.shape).astype(np.float32)

    def __call__(self, _, path):
        self.path = np.asarray(path)
        log_p = path_log_probabilities(jnp.asarray(self.scores), path)
        return PathProbabilities(log_p, jnp.asarray(self.labels))


def log_softmax(scores, used):
    free = np.array([k not in used for k in range(END + 1)])
    return np.where(free, scores - np.log(np.exp(scores[free]).sum()), -np.inf)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0, 3.0)])
def test_the_loss_of_independent_labels(smoothing, weights):
    logits = RNG.normal(size=Y.shape)
    p = 1 / (1 + np.exp(-logits))
    targets = np.where(Y, 1 - smoothing / 2, smoothing / 2)
    losses = -(targets * np.log(p) + (1 - targets) * np.log(1 - p))
    config = TrainingConfig(label_smoothing=smoothing, class_weights=weights)
    ours = IndependentLabels().batch_loss(config, jnp.asarray(logits, jnp.float32), jnp.asarray(Y))
    expected = (losses * np.array(weights or 1.0)).sum(axis=1).mean()
    assert float(ours) == pytest.approx(expected, rel=1e-5)


def test_independent_labels_are_right_when_all_are():
    logits = np.where(Y, 0.1, -0.1)
    logits[1, 3] = 0.1
    right = IndependentLabels().correct(jnp.asarray(logits), jnp.asarray(Y))
    assert np.asarray(right).tolist() == [True, False, True, True]


def test_a_path_has_the_labels_in_order_and_then_end():
    model = Recorder(steps=4)
    objective = LabelPaths(order=(3, 0, 2, 1), max_labels=3)
    outputs = objective.outputs(model, None, jnp.asarray(Y), KEY)
    assert model.path.tolist() == [[0, 2, END], [1, END, END], [3, 0, 1], [END] * 3]

    losses, right = [], []
    for row, path in enumerate(([0, 2], [1], [3, 0, 1], [])):
        steps = [log_softmax(model.scores[row, t], path[:t]) for t in range(len(path) + 1)]
        tokens = [*path, END]
        losses.append(-sum(log_p[token] for log_p, token in zip(steps, tokens, strict=True)))
        right.append([int(log_p.argmax()) for log_p in steps] == tokens)
    np.testing.assert_allclose(objective.losses(outputs, Y), losses, rtol=1e-5)
    assert np.asarray(objective.correct(outputs, Y)).tolist() == right
    loss = objective.batch_loss(TrainingConfig(), outputs, Y)
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_labels_of_a_search_count_by_their_weight():
    model = Recorder(steps=4)
    model.labels[0, 1], model.labels[1, 1] = 0, 1  # rightly told, and beyond doubt
    p = np.where(Y, model.labels, 1 - model.labels)
    of_labels = -np.log(np.clip(p, 1e-6, 1)).sum(axis=1).mean()
    y, plain = jnp.asarray(Y), LabelPaths((3, 0, 2, 1), 3)
    weighted = LabelPaths((3, 0, 2, 1), 3, label_weight=2.5)
    outputs = plain.outputs(model, None, y, KEY)
    of_paths = float(plain.batch_loss(TrainingConfig(), outputs, y))
    loss = weighted.batch_loss(TrainingConfig(), outputs, y)
    assert float(loss) == pytest.approx(of_paths + 2.5 * of_labels, rel=1e-5)
    np.testing.assert_array_equal(weighted.losses(outputs, y), plain.losses(outputs, y))


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan"), "1"])
def test_a_weight_of_labels_is_a_number_from_zero_on(weight):
    with pytest.raises(ZooError, match="label_weight must be a number, at least 0 and finite, got"):
        LabelPaths(None, 3, label_weight=weight)


def test_right_at_every_step_is_right():
    model = Recorder(steps=4)
    objective = LabelPaths(order=(3, 0, 2, 1), max_labels=3)
    for row, tokens in enumerate(([0, 2, END], [1, END], [3, 0, 1, END], [END])):
        for t, token in enumerate(tokens):
            model.scores[row, t, token] = 9
    model.scores[1, 1, 2] = 10  # one wrong step
    model.scores[3, 2, 0] = 10  # after the end nothing counts
    outputs = objective.outputs(model, None, jnp.asarray(Y), KEY)
    assert np.asarray(objective.correct(outputs, Y)).tolist() == [True, False, True, True]


def test_without_an_order_each_step_has_all_labels_to_come():
    model = Recorder(steps=4)
    objective = LabelPaths(order=None, max_labels=3)
    outputs = objective.outputs(model, None, jnp.asarray(Y), KEY)
    losses = []
    for row, labels in enumerate(([0, 2], [1], [0, 1, 3], [])):
        path = model.path[row][: len(labels)].tolist()
        assert sorted(path) == labels
        assert (model.path[row][len(labels) :] == END).all()
        loss = 0.0
        for t in range(len(path) + 1):
            log_p = log_softmax(model.scores[row, t], path[:t])
            loss -= np.mean(log_p[path[t:]]) if t < len(path) else log_p[END]
        losses.append(loss)
    np.testing.assert_allclose(objective.losses(outputs, Y), losses, rtol=1e-5)


def test_without_an_order_every_order_comes():
    y = jnp.asarray(np.repeat([[True, True, False, True]], 300, axis=0))

    def path_of(_, path):
        seen.append(np.asarray(path))
        return PathProbabilities(jnp.zeros((300, 4, END + 1)), jnp.zeros((300, END)))

    seen = []
    for key in jax.random.split(KEY, 2):
        LabelPaths(None, 3).outputs(path_of, None, y, key)
    counts = dict.fromkeys(itertools.permutations((0, 1, 3)), 0)
    for path in seen[0].tolist():
        counts[tuple(path)] += 1
    assert min(counts.values()) > 25  # of 50 expected
    assert (seen[0] != seen[1]).any()


def test_orders_by_frequency():
    y = np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]], bool)
    assert LabelPaths.of(y) == LabelPaths((1, 2, 3, 0), 3)
    assert LabelPaths.of(y, "rare_first") == LabelPaths((0, 2, 3, 1), 3)
    assert LabelPaths.of(y, "random") == LabelPaths(None, 3)
    for order in ("frequent_first", "random"):
        assert LabelPaths.of(y, order, label_weight=2.0).label_weight == 2
    with pytest.raises(ZooError, match=r"order must be 'frequent_first', .* got 'alphabet'"):
        LabelPaths.of(y, "alphabet")
    with pytest.raises(ZooError, match="y must have at least one label, got none in 4 examples"):
        LabelPaths.of(np.zeros((4, 2), bool))


class Tagger(nnx.Module):
    """Each label is a bright pixel; called with a path it is a model of paths as well."""

    def __init__(self, *, rngs):
        self.image = Dense(3, 8, rngs=rngs)
        self.labels = Embedding(4, 8, rngs=rngs)
        self.scores = Dense(8, 4, rngs=rngs)
        self.logits = Dense(3, 3, rngs=rngs)

    def __call__(self, x, path=None):
        if path is None:
            return self.logits(x)
        start = jnp.full_like(path[:, :1], 3)
        before = jnp.cumsum(self.labels(jnp.concatenate((start, path), axis=1)), axis=1)
        scores = self.scores(jnp.tanh(self.image(x)[:, None] + before))
        return PathProbabilities(path_log_probabilities(scores, path), nnx.sigmoid(self.logits(x)))


def pixels(examples, seed):
    rng = np.random.default_rng(seed)
    y = rng.random((examples, 3)) < 0.5
    y[~y.any(axis=1), 0] = True
    return Split((y + rng.normal(0, 0.1, y.shape)).astype(np.float32), y)


TRAIN, TEST = pixels(120, 0), pixels(50, 1)
CONFIG = TrainingConfig(epochs=30, batch_size=10, learning_rate=0.05)


@pytest.mark.parametrize(
    "objective",
    [IndependentLabels(), LabelPaths.of(TRAIN.y), LabelPaths.of(TRAIN.y, "random")],
    ids=["independent", "paths", "orderless"],
)
def test_it_is_learnt(objective):
    model = Tagger(rngs=nnx.Rngs(0))
    result = fit(model, TRAIN, validation=TEST, config=CONFIG, objective=objective, progress=False)
    assert result.history[-1].loss < 0.5 * result.history[0].loss
    exact = evaluate(result.model, TEST, objective=objective)
    assert exact.accuracy > 0.9
    assert result.history[-1].val_accuracy == exact.accuracy
    assert result.history[-1].val_loss == pytest.approx(exact.loss, rel=1e-4)


def test_evaluation_is_the_loss_of_the_whole_split():
    model = Tagger(rngs=nnx.Rngs(3))
    logits = predict(model, TEST.x)
    found = evaluate(model, TEST, objective=IndependentLabels(), batch_size=7)
    losses = np.where(TEST.y, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits))).sum(axis=1)
    assert found.loss == pytest.approx(losses.mean(), rel=1e-5)
    assert found.accuracy == np.mean(((logits > 0) == TEST.y).all(axis=1))


def test_an_augmentation_repeats_the_label_sets():
    """Two equal versions of each example leave the figures as they were."""
    config = TrainingConfig(epochs=1, batch_size=10, optimizer="sgd", learning_rate=0.1)
    once, twice = (
        fit(
            Tagger(rngs=nnx.Rngs(0)),
            TRAIN,
            config=config,
            objective=IndependentLabels(),
            augment=augment,
            progress=False,
        ).history[0]
        for augment in (None, lambda _, x: jnp.concatenate((x, x)))
    )
    assert twice.loss == pytest.approx(once.loss, rel=1e-5)
    assert twice.accuracy == once.accuracy


def test_predict_calls_the_method_that_is_named():
    class Both(Tagger):
        def twice(self, x):
            return {"logits": self(x), "x": 2 * x}

    model = Both(rngs=nnx.Rngs(0))
    found = predict(model, TEST.x, method="twice", batch_size=7)
    np.testing.assert_array_equal(found["x"], 2 * TEST.x)
    np.testing.assert_allclose(found["logits"], predict(model, TEST.x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("y", "objective", "message"),
    [
        (
            TRAIN.y.astype(np.int32),
            IndependentLabels(),
            "labels of train must be boolean of shape [N, 3], whether an example has each of the "
            "model's 3 labels, got int32 of shape (120, 3).",
        ),
        (
            TRAIN.y[:, :2],
            LabelPaths((0, 1, 2), 3),
            "labels of train must be boolean of shape [N, 3], whether an example has each of the "
            "model's 3 labels, got bool of shape (120, 2).",
        ),
        (
            TRAIN.y[:, 0],
            IndependentLabels(),
            "train must have one label for each example, got examples of shape (120, 3) and "
            "labels of shape (120,).",
        ),
        (
            np.ones((120, 3), bool),
            LabelPaths((0, 1, 2), 2),
            "examples of train must have at most max_labels=2 labels, got 3 at example 0.",
        ),
        (
            TRAIN.y,
            LabelPaths((0, 1), 3),
            "order must have each of the labels 0 to 2 once, got (0, 1).",
        ),
    ],
)
def test_targets_that_do_not_fit(y, objective, message):
    with pytest.raises(ZooError) as caught:
        fit(
            Tagger(rngs=nnx.Rngs(0)),
            Split(TRAIN.x, y),
            config=CONFIG,
            objective=objective,
            progress=False,
        )
    assert str(caught.value) == message


@pytest.mark.parametrize("options", [{"label_smoothing": 0.1}, {"class_weights": (1.0, 1.0, 2.0)}])
def test_options_that_paths_have_not(options):
    with pytest.raises(ZooError, match="class_weights and label_smoothing are not defined"):
        fit(
            Tagger(rngs=nnx.Rngs(0)),
            TRAIN,
            config=TrainingConfig(**options),
            objective=LabelPaths.of(TRAIN.y),
            progress=False,
        )


def test_checkpoints_of_another_objective_are_refused(tmp_path):
    def run(objective):
        config = TrainingConfig(epochs=1, batch_size=10)
        return fit(
            Tagger(rngs=nnx.Rngs(0)),
            TRAIN,
            config=config,
            objective=objective,
            checkpoints=tmp_path,
            progress=False,
        )

    run(IndependentLabels())
    with pytest.raises(ZooError, match=re.escape("objective was 'IndependentLabels()' and is now")):
        run(LabelPaths.of(TRAIN.y))
