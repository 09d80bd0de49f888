import re

import numpy as np
import pytest
from flax import nnx

from zoo.data import Split, in_copies
from zoo.errors import ZooError
from zoo.models import weights_of
from zoo.training import NonFiniteLossError, TrainingConfig, columns, evaluate, fit

from .conftest import Tiny, noise


def same_weights(a: nnx.Module, b: nnx.Module) -> bool:
    one, other = weights_of(a), weights_of(b)
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_it_learns_and_tells_its_history(model, train, validation):
    before = weights_of(model)
    config = TrainingConfig(epochs=12, batch_size=10, learning_rate=0.02)
    result = fit(model, train, validation=validation, config=config, progress=False)

    history = columns(result.history)
    assert history["epoch"] == list(range(1, 13))
    assert history["step"] == list(range(9, 109, 9))
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    exact = evaluate(result.model, validation)
    assert exact.accuracy > 0.85
    assert history["val_accuracy"][-1] == exact.accuracy
    assert history["val_loss"][-1] == pytest.approx(exact.loss, rel=1e-5)
    assert not result.stopped_early
    assert all(0 < e.program_seconds <= e.seconds for e in result.history)
    # The model that was given is as it was; the one returned predicts, and does not train.
    assert all(np.array_equal(before[name], value) for name, value in weights_of(model).items())
    assert not model.dropout.deterministic
    assert result.model.dropout.deterministic


def test_without_validation_there_are_no_such_columns(model, train):
    config = TrainingConfig(epochs=1, batch_size=30)
    result = fit(model, train, config=config, progress=False)
    assert "val_loss" not in columns(result.history)
    assert result.history[0].val_accuracy is None


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(model, train):
    config = TrainingConfig(epochs=2, batch_size=10)
    once, again, other = (
        fit(model, train, config=config, seed=seed, augment=noise, progress=False).model
        for seed in (3, 3, 4)
    )
    assert same_weights(once, again)
    assert not same_weights(once, other)


def test_how_steps_are_cut_into_calls_does_not_change_the_bits(model, train, monkeypatch):
    config = TrainingConfig(epochs=3, batch_size=10)
    many_calls = fit(model, train, config=config, augment=noise, progress=False)
    monkeypatch.setattr("zoo.training.loop._SECONDS_PER_CALL", 0.0)
    one_step_a_call = fit(model, train, config=config, augment=noise, progress=False)
    assert same_weights(many_calls.model, one_step_a_call.model)
    assert [e.loss for e in many_calls.history] == [e.loss for e in one_step_a_call.history]


class Witness(nnx.Module):
    """Writes down the examples it is trained on, one a step."""

    def __init__(self, steps: int):
        self.use_running_average = False
        self.weight = nnx.Param(np.zeros(3, np.float32))
        self.seen = nnx.BatchStat(np.zeros(steps, np.float32))
        self.count = nnx.BatchStat(np.zeros((), np.int32))

    def __call__(self, x):
        if not self.use_running_average:
            self.seen[...] = self.seen[...].at[self.count[...]].set(x[0, 0])
            self.count[...] = self.count[...] + 1
        return x[:, :1] + self.weight[...].reshape(1, -1)


def test_every_epoch_sees_each_example_once_in_a_new_order():
    numbers = Split(np.arange(8, dtype=np.float32).reshape(8, 1), np.zeros(8, np.int32))
    config = TrainingConfig(epochs=2, batch_size=1)
    witness = fit(Witness(16), numbers, config=config, progress=False).model
    first, second = np.split(np.asarray(witness.seen[...]), 2)
    assert sorted(first) == sorted(second) == list(range(8))
    assert list(first) != list(second)


def test_steps_instead_of_epochs(model, train):
    config = TrainingConfig(steps=13, batch_size=10)
    result = fit(model, train, config=config, progress=False)
    assert [e.step for e in result.history] == [9, 13]


def test_early_stopping_restores_the_best_weights(model, train, validation):
    config = TrainingConfig(epochs=60, batch_size=10, learning_rate=0.2, patience=4)
    result = fit(model, train, validation=validation, config=config, progress=False)
    losses = columns(result.history)["val_loss"]
    best = int(np.argmin(losses))
    assert result.stopped_early
    assert len(losses) == best + 1 + 4
    assert evaluate(result.model, validation).loss == pytest.approx(losses[best], rel=1e-5)
    assert losses[best] < losses[-1]


def test_early_stopping_can_look_at_accuracy(model, train, validation):
    config = TrainingConfig(
        epochs=60, batch_size=10, learning_rate=0.2, patience=3, monitor="accuracy"
    )
    result = fit(model, train, validation=validation, config=config, progress=False)
    accuracies = columns(result.history)["val_accuracy"]
    assert evaluate(result.model, validation).accuracy == max(accuracies)
    assert len(accuracies) == accuracies.index(max(accuracies)) + 1 + 3


def test_a_loss_that_is_not_finite_stops_the_run(model, train, tmp_path):
    config = TrainingConfig(
        epochs=50, batch_size=10, optimizer="sgd", learning_rate=1e30, checkpoint_seconds=0
    )
    with pytest.raises(NonFiniteLossError) as caught:
        fit(model, train, config=config, checkpoints=tmp_path, progress=False)
    message = str(caught.value)
    assert re.search(r"the loss of seed 0 was infinite or not a number at step \d+", message)
    kept = int(re.search(r"Last good checkpoint: step (\d+) in", message)[1])
    bad = int(re.search(r"at step (\d+)", message)[1])
    assert kept <= bad


def broken(split: Split, **change) -> Split:
    return Split(*(change.get(name, value) for name, value in split._asdict().items()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"y": np.full(90, 3, np.int32)},
            "labels of train must be between 0 and 2 (the model has 3 classes), got 3 at "
            "example 0 and 89 more.",
        ),
        (
            {"y": np.zeros(89, np.int32)},
            "train must have one label for each example, got examples of shape (90, 4, 4, 1) "
            "and labels of shape (89,).",
        ),
        ({"y": np.zeros(90)}, "labels of train must be integers, got float64."),
        (
            {"x": np.zeros((0, 4, 4, 1), np.uint8), "y": np.zeros(0, np.int32)},
            "train must have at least one example, got none.",
        ),
        (
            {"x": np.full((90, 4, 4, 1), np.nan, np.float32)},
            "train must be finite, got NaN or infinity in 90 examples, the first at 0.",
        ),
        (
            {"x": np.zeros((90, 5, 4, 1), np.uint8)},
            "x must have shape [..., 16] for a kernel of shape (16, 8), got shape (2, 20).",
        ),
    ],
)
def test_data_that_do_not_fit(model, train, change, message):
    with pytest.raises(ZooError) as caught:
        fit(model, broken(train, **change), progress=False)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch_size": 91},
            "batch_size must not be larger than the training set of 90 examples, got 91.",
        ),
        ({"patience": 2}, "patience needs validation data to look at: pass validation."),
        (
            {"class_weights": (1.0, 2.0)},
            "class_weights must have one value for each of the 3 classes, got 2.",
        ),
    ],
)
def test_options_that_do_not_fit_the_data(model, train, options, message):
    with pytest.raises(ZooError) as caught:
        fit(model, train, config=TrainingConfig(**options), progress=False)
    assert str(caught.value) == message


def test_several_versions_of_a_batch_count_as_one_batch_of_all(train):
    """Two equal versions of each example: the mean loss and its gradient stay what they were."""

    class Linear(nnx.Module):
        def __init__(self):
            self.weight = nnx.Param(np.full((16, 3), 0.01, np.float32))

        def __call__(self, x):
            return x.reshape(x.shape[0], -1) @ self.weight[...]

    config = TrainingConfig(epochs=2, batch_size=10, optimizer="sgd", learning_rate=0.1)
    once, twice = (
        fit(Linear(), train, config=config, augment=augment, progress=False)
        for augment in (None, in_copies(lambda _, x: x, 2))
    )
    np.testing.assert_allclose(
        weights_of(twice.model)["weight"], weights_of(once.model)["weight"], rtol=1e-4, atol=1e-6
    )
    assert [e.accuracy for e in twice.history] == [e.accuracy for e in once.history]


def test_an_augmentation_that_changes_the_shape(model, train):
    with pytest.raises(ZooError) as caught:
        fit(model, train, augment=lambda _, x: x[:, 1:], progress=False)
    assert str(caught.value) == (
        "augment must keep uint8 of shape [k · B, 4, 4, 1], got uint8 of shape (2, 3, 4, 1) for "
        "B = 2."
    )


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("epochs", 0, "epochs must be a positive integer, got 0."),
        ("batch_size", 1.5, "batch_size must be a positive integer, got 1.5."),
        ("optimizer", "adm", "optimizer must be one of ('adam', 'sgd'), got 'adm'."),
        ("learning_rate", 0.0, "learning_rate must be a number, more than 0 and finite, got 0.0."),
        ("learning_rate", float("nan"), "learning_rate must be a number, more than 0 and finite"),
        ("learning_rate", "1e-3", "a number, more than 0 and finite, got '1e-3'."),
        ("label_smoothing", 1.0, "a number, at least 0 and less than 1, got 1.0."),
        ("warmup", None, "warmup must be a number, at least 0 and less than 1, got None."),
        ("l2", -1.0, "l2 must be a number, at least 0, got -1.0."),
        ("class_weights", (1.0, -1.0), "class_weights must be a tuple of numbers, at least 0, got"),
        ("class_weights", 2.0, "class_weights must be a tuple of numbers, at least 0, got 2.0."),
    ],
)
def test_options_that_make_no_sense(option, value, message):
    with pytest.raises(ZooError, match=re.escape(message)):
        TrainingConfig(**{option: value})


def test_a_model_that_returns_no_logits(train):
    class Wrong(Tiny):
        def __call__(self, x):
            return super().__call__(x)[:, 0]

    with pytest.raises(ZooError, match=r"the model must return logits of shape \[B, classes\]"):
        fit(Wrong(rngs=nnx.Rngs(0)), train, progress=False)


def test_a_model_that_is_none(train):
    with pytest.raises(ZooError, match=r"model must be an nnx.Module.*, got <class"):
        fit(Tiny, train, progress=False)


def test_data_that_are_no_split_of_arrays(model, train):
    with pytest.raises(ZooError, match=r"train must be a zoo\.data\.Split of two arrays x and y"):
        fit(model, (train.x, train.y), progress=False)
    lists = Split(train.x, train.y.tolist())
    with pytest.raises(ZooError, match=r"validation must be .*, got \('ndarray', 'list'\)"):
        fit(model, train, validation=lists, progress=False)


@pytest.mark.parametrize("seed", [-1, 2**32, "a", 0.5])
def test_a_seed_that_is_none(model, train, seed):
    message = f"seeds must be different whole numbers from 0 to 4294967295, got {seed!r}."
    with pytest.raises(ZooError, match=re.escape(message)):
        fit(model, train, seed=seed, progress=False)
