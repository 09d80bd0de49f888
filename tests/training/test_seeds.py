import contextlib
from functools import partial

import jax
import numpy as np
import pytest
from flax import nnx
from jax.experimental import rnn

from tests.functional import cudnn
from zoo.errors import ZooError
from zoo.layers import LSTM
from zoo.models import weights_of
from zoo.training import TrainingConfig, columns, evaluate, fit, fit_seeds

from .conftest import Tiny, noise

# Not Adam: it divides a gradient that should be zero by itself, and makes rounding errors large.
CONFIG = TrainingConfig(epochs=3, batch_size=10, optimizer="sgd", learning_rate=0.05)


@pytest.fixture(scope="module")
def in_turn(train, validation):
    return fit_seeds(
        Tiny,
        train,
        seeds=(0, 5),
        how="in_turn",
        validation=validation,
        config=CONFIG,
        augment=noise,
        progress=False,
    )


def test_a_seed_sets_the_initial_weights_and_the_order(in_turn, train, validation):
    alone = fit(
        Tiny(rngs=nnx.Rngs(5)),
        train,
        validation=validation,
        config=CONFIG,
        seed=5,
        augment=noise,
        progress=False,
    )
    assert [result.seed for result in in_turn] == [0, 5]
    for name, value in weights_of(alone.model).items():
        np.testing.assert_array_equal(weights_of(in_turn[1].model)[name], value)


@pytest.mark.parametrize("how", ["vmap", "processes"])
def test_the_other_ways_give_the_same_results(in_turn, train, validation, how):
    results = fit_seeds(
        Tiny,
        train,
        seeds=(0, 5),
        how=how,
        validation=validation,
        config=CONFIG,
        augment=noise,
        progress=False,
    )
    for ours, expected in zip(results, in_turn, strict=True):
        assert ours.seed == expected.seed
        weights = weights_of(ours.model)
        for name, value in weights_of(expected.model).items():
            np.testing.assert_allclose(weights[name], value, rtol=1e-4, atol=1e-5)
        for name, values in columns(expected.history).items():
            if "seconds" not in name:
                np.testing.assert_allclose(
                    columns(ours.history)[name], values, rtol=1e-3, atol=1e-5
                )


def test_in_one_program_each_seed_stops_on_its_own_and_keeps_its_own_best(train, validation):
    config = TrainingConfig(epochs=30, batch_size=10, learning_rate=0.2, patience=2)
    results = fit_seeds(
        Tiny,
        train,
        seeds=(0, 1, 2),
        how="vmap",
        validation=validation,
        config=config,
        progress=False,
    )
    lengths = set()
    for result in results:
        losses = columns(result.history)["val_loss"]
        lengths.add(len(losses))
        best = int(np.argmin(losses))
        assert result.stopped_early
        assert len(losses) == best + 1 + 2
        assert evaluate(result.model, validation).loss == pytest.approx(losses[best], rel=1e-4)
    assert len(lengths) > 1  # or the test would not tell one seed's end from another's


class Rows(nnx.Module):
    """The rows of an image through an LSTM."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.lstm = LSTM(4, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.lstm(x[..., 0])


@pytest.mark.parametrize("how", ["vmap", "in_turn"])
def test_in_one_program_lstms_are_without_cudnn(train, monkeypatch, how):
    """As if JAX had a GPU, with a gradient of cuDNN that says that it was reached."""

    def reached(*_: object) -> None:
        raise RuntimeError("cuDNN is called")

    cudnn.install(monkeypatch)
    monkeypatch.setattr(rnn, "lstm_bwd", reached)
    is_called = pytest.raises(RuntimeError, match="cuDNN is called")
    with is_called if how == "in_turn" else contextlib.nullcontext():
        fit_seeds(Rows, train, seeds=(0, 1), how=how, config=CONFIG, progress=False)


def test_complete_seeds_are_not_trained_again(train, tmp_path):
    several = partial(
        fit_seeds, Tiny, train, how="in_turn", config=CONFIG, checkpoints=tmp_path, progress=False
    )
    several(seeds=(0,))
    compiled = [result.compile_seconds > 0 for result in several(seeds=(0, 1))]
    assert compiled == [False, True]


def test_an_error_in_a_process_is_the_caller_s_error(train):
    with pytest.raises(ZooError, match="batch_size must not be larger than the training set"):
        fit_seeds(
            Tiny,
            train,
            seeds=(0, 1),
            how="processes",
            config=TrainingConfig(batch_size=91),
            progress=False,
        )


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_seeds_that_make_no_sense(train, seeds):
    with pytest.raises(ZooError, match="seeds must be different whole numbers from 0 to"):
        fit_seeds(Tiny, train, seeds=seeds)


def test_an_unknown_way(train):
    with pytest.raises(ZooError, match=r"how must be 'auto'.*got 'parallel'"):
        fit_seeds(Tiny, train, seeds=(0,), how="parallel")


def test_a_function_that_no_other_process_can_import(train):
    with pytest.raises(ZooError, match=r"must be functions of a module.*use how='in_turn'"):
        fit_seeds(
            Tiny,
            train,
            seeds=(0, 1),
            how="processes",
            config=CONFIG,
            augment=lambda _, images: images,
            progress=False,
        )


def test_seeds_in_turn_share_one_compiled_program(in_turn):
    assert [result.compile_seconds > 0 for result in in_turn] == [True, False]


def test_more_seeds_than_cores_wait_for_a_process(train, monkeypatch):
    monkeypatch.setattr("zoo.training.processes.cores", lambda: [0])
    results = fit_seeds(
        Tiny, train, seeds=(3, 1), how="processes", config=CONFIG, augment=noise, progress=False
    )
    assert [result.seed for result in results] == [3, 1]
    assert [result.compile_seconds > 0 for result in results] == [True, False]
