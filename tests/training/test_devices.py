"""A batch cut over two devices: the same run as on one, but for rounding."""

import os
import subprocess
import sys
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

import zoo.training.devices
from zoo.data import Split, in_copies
from zoo.errors import ZooError
from zoo.layers import GRU, LSTM, BatchNormalization, Conv2D, Dense, Dropout, SimpleRNN
from zoo.models import weights_of
from zoo.training import (
    IndependentLabels,
    LabelPaths,
    TrainingConfig,
    evaluate,
    fit,
    fit_seeds,
    predict,
    predictor,
    split_cpu,
)
from zoo.training.devices import (
    FEWEST_ROWS,
    FEWEST_ROWS_OF_MANY,
    MANY_CONVOLUTIONS,
    predicting_devices,
    training_devices,
)

from .conftest import Tiny, blobs, noise


class Rows(nnx.Module):
    """The rows of an image through an LSTM, with BatchNorm and dropout for what they share."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.lstm = LSTM(4, 6, rngs=rngs)
        self.norm = BatchNormalization(6, momentum=0.9)
        self.dropout = Dropout(0.2, rngs=rngs)
        self.logits = Dense(6, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.logits(self.dropout(self.norm(self.lstm(x[..., 0]))))


@pytest.fixture(scope="module")
def data() -> tuple[Split, Split]:
    return blobs(96, seed=2), blobs(37, seed=3)


def run(devices: int | None, data: tuple[Split, Split], **options: Any) -> Any:
    config = TrainingConfig(epochs=3, batch_size=32, learning_rate=0.02, devices=devices)
    train, validation = data
    return fit(
        Rows(rngs=nnx.Rngs(0)),
        train,
        validation=validation,
        config=config,
        progress=False,
        **options,
    )


def figures(result: Any) -> list[tuple[float, ...]]:
    return [(e.loss, e.accuracy, e.val_loss, e.val_accuracy) for e in result.history]


def check_same_run(one: Any, other: Any) -> None:
    np.testing.assert_allclose(figures(one), figures(other), rtol=1e-4)
    a, b = weights_of(one.model), weights_of(other.model)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("augment", [None, noise, partial(in_copies, noise, 2)])
def test_two_devices_train_as_one_does(data, augment):
    if isinstance(augment, partial):
        augment = augment()
    check_same_run(run(1, data, augment=augment), run(2, data, augment=augment))


def test_the_same_seed_gives_the_same_bits(data):
    once, again = weights_of(run(2, data).model), weights_of(run(2, data).model)
    assert all(np.array_equal(once[name], again[name]) for name in once)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 2)])
def test_a_run_can_go_on_with_any_number_of_devices(before, after, data, tmp_path, monkeypatch):
    def kill_after_first_epoch(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zoo.training.loop._Run._stop_early", kill_after_first_epoch)
        patch.setattr("zoo.training.loop._Run._save_now_and_then", lambda run: run._save())
        patch.setattr("zoo.training.loop._SECONDS_PER_CALL", 0.0)
        with pytest.raises(KeyboardInterrupt):
            run(before, data, checkpoints=tmp_path)
    assert any(tmp_path.iterdir())
    gone_on = run(after, data, checkpoints=tmp_path)
    assert gone_on.compile_seconds > 0  # it was not complete
    check_same_run(gone_on, run(1, data))


def test_the_trained_model_is_on_one_device(data):
    leaves = jax.tree.leaves(nnx.state(run(2, data).model))
    assert {device for leaf in leaves for device in leaf.devices()} == {jax.devices()[0]}


def test_predictions_and_figures_are_those_of_one_device(data, monkeypatch):
    model, (train, _) = Rows(rngs=nnx.Rngs(1)), data
    assert predicting_devices(model, 32).count == 2
    cut = predict(model, train.x, batch_size=32), evaluate(model, train, batch_size=32)
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    assert predicting_devices(model, 32).count == 1
    whole = predict(model, train.x, batch_size=32), evaluate(model, train, batch_size=32)
    np.testing.assert_allclose(cut[0], whole[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cut[1], whole[1], rtol=1e-5)


def test_a_predictor_cuts_batches_that_can_be_cut(data):
    model, x = Rows(rngs=nnx.Rngs(1)), data[0].x
    call, expected = predictor(model, batch_size=32), predict(model, x)
    for rows in (32, 5):
        outputs = call(x[:rows])
        assert len(outputs.devices()) == 2
        np.testing.assert_allclose(outputs, expected[:rows], rtol=1e-5, atol=1e-6)


class Foreign(Rows):
    """With a normalisation that does not know of the other devices."""

    def __init__(self, *, rngs: nnx.Rngs):
        super().__init__(rngs=rngs)
        self.norm = nnx.BatchNorm(6, momentum=0.5, rngs=rngs)


def test_what_a_foreign_layer_keeps_is_averaged(data):
    """Its mean is the batch's then; its variance, of which each device has its own, is not."""
    config = [TrainingConfig(steps=1, batch_size=32, devices=devices) for devices in (1, 2)]
    one, two = (
        fit(Foreign(rngs=nnx.Rngs(0)), data[0], config=c, progress=False).model for c in config
    )
    np.testing.assert_allclose(two.norm.mean[...], one.norm.mean[...], rtol=1e-4, atol=1e-6)


class Labels(nnx.Module):
    """Of label paths: log P of the next token from the image alone, and P of each label."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.tokens, self.labels = Dense(16, 4, rngs=rngs), Dense(16, 3, rngs=rngs)

    def __call__(self, x: jax.Array, path: jax.Array) -> tuple[jax.Array, jax.Array]:
        flat = x.reshape(x.shape[0], -1)
        log_p = jax.nn.log_softmax(self.tokens(flat))
        steps = path.shape[1] + 1
        return log_p[:, None].repeat(steps, axis=1), jax.nn.sigmoid(self.labels(flat))


class OneByOne(nnx.Module):
    """A logit for each label."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.labels = Dense(16, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.labels(x.reshape(x.shape[0], -1))


def test_objectives_of_several_labels(data, monkeypatch):
    """Also where the order of labels is drawn by chance."""
    images = data[0].x
    y = np.random.default_rng(4).random((len(images), 3)) < 0.6
    # The check of a model's outputs is for a call with the images alone.
    monkeypatch.setattr("zoo.training.loop.check_run", lambda *_: None)
    for create, objective in (
        (OneByOne, IndependentLabels()),
        (Labels, LabelPaths.of(y, "random", label_weight=0.5)),
    ):
        one, two = (
            fit(
                create(rngs=nnx.Rngs(0)),
                Split(images, y),
                objective=objective,
                config=TrainingConfig(steps=4, batch_size=32, devices=devices),
                progress=False,
            )
            for devices in (1, 2)
        )
        assert one.history[-1].loss == pytest.approx(two.history[-1].loss, rel=1e-5)


def convolutions(count: int) -> nnx.Module:
    return nnx.Sequential(*(Conv2D(1, 1, 1, rngs=nnx.Rngs(0)) for _ in range(count)))


@pytest.mark.parametrize("layer", [LSTM, GRU, SimpleRNN])
def test_recurrent_layers_have_all_devices(layer):
    model = nnx.Sequential(layer(2, 3, rngs=nnx.Rngs(0)))
    for devices in (training_devices, predicting_devices):
        assert devices(model, 2 * FEWEST_ROWS).count == 2
        assert devices(model, 2 * FEWEST_ROWS - 2).count == 1
        assert devices(model, 2 * FEWEST_ROWS + 1).count == 1
    assert training_devices(model, 2, asked=2).count == 2


@pytest.mark.parametrize("others", [(), (GRU(2, 3, rngs=nnx.Rngs(0)),)], ids=["alone", "and a GRU"])
def test_many_convolutions_have_all_devices_to_predict_and_one_to_train(others):
    model = nnx.Sequential(convolutions(MANY_CONVOLUTIONS), *others)
    assert predicting_devices(model, 2 * FEWEST_ROWS_OF_MANY).count == 2
    assert predicting_devices(model, 2 * FEWEST_ROWS_OF_MANY - 2).count == 1
    assert training_devices(model, 256).count == 1


def test_fewer_convolutions_have_all_devices_to_train_where_they_have_most_weights():
    model = convolutions(MANY_CONVOLUTIONS - 1)
    assert predicting_devices(model, 256).count == 1
    assert training_devices(model, 2 * FEWEST_ROWS).count == 2
    assert training_devices(model, 2 * FEWEST_ROWS - 2).count == 1
    weights = 2 * (MANY_CONVOLUTIONS - 1)  # and biases
    for others, count in ((21, 1), (20, 2)):
        dense = Dense(weights - 1, others, use_bias=False, rngs=nnx.Rngs(0))
        assert training_devices(nnx.Sequential(model, dense), 256).count == count


def test_other_models_have_one():
    for model in (Dense(2, 3, rngs=nnx.Rngs(0)), nnx.Sequential()):
        assert (predicting_devices(model, 256).count, training_devices(model, 256).count) == (1, 1)


@pytest.mark.parametrize(("devices", "batch_size"), [(3, 30), (2, 31)])
def test_devices_that_are_not_there_or_do_not_divide_the_batch(devices, batch_size, train):
    config = TrainingConfig(epochs=1, batch_size=batch_size, devices=devices)
    with pytest.raises(ZooError, match=f"divide batch_size={batch_size} .* got {devices}"):
        fit(Tiny(rngs=nnx.Rngs(0)), train, config=config, progress=False)


def test_seeds_at_once_have_no_devices_to_share(data):
    config = TrainingConfig(epochs=1, batch_size=32, devices=2)
    with pytest.raises(ZooError, match=r"devices .* several seeds .* got 2"):
        fit_seeds(Rows, data[0], seeds=(0, 1), how="vmap", config=config, progress=False)


def test_devices_must_be_positive():
    with pytest.raises(ZooError, match="devices"):
        TrainingConfig(devices=0)


def test_split_cpu_comes_before_the_first_use():
    jax.devices()
    with pytest.raises(ZooError, match="before JAX is first used"):
        split_cpu(3)
    with pytest.raises(ZooError, match="devices"):
        split_cpu(0)


@pytest.mark.parametrize(("variable", "devices"), [({}, 3), ({"JAX_NUM_CPU_DEVICES": "1"}, 1)])
def test_split_cpu_makes_a_device_of_each_core_unless_told_otherwise(variable, devices):
    code = (
        "import jax, zoo.training.devices as d; d.cores = lambda: [0, 3, 5]; "
        "d.split_cpu(); print(jax.device_count())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "JAX_NUM_CPU_DEVICES"} | variable,
    )
    assert answer.stdout.split() == [str(devices)]


def test_cores_without_affinity(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert zoo.training.devices.cores() == [0, 1, 2]
