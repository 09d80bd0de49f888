import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from zoo.errors import ZooError
from zoo.training import evaluate, predict, predictor
from zoo.training.evaluation import AT_ONCE, LARGE_ROW, few_at_a_time


@pytest.mark.parametrize("batch_size", [1, 5, 36, 37, 100])
def test_every_example_counts_once_whatever_the_batch(model, validation, batch_size):
    logits = predict(model, validation.x, batch_size=batch_size)
    model.eval()
    expected = np.asarray(model(validation.x.astype(np.float32) / 255))
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)

    exact = evaluate(model, validation, batch_size=batch_size)
    shifted = expected - expected.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    rows = np.arange(len(validation.y))
    assert exact.loss == pytest.approx(-log_p[rows, validation.y].mean(), rel=1e-5)
    assert exact.accuracy == np.mean(expected.argmax(axis=-1) == validation.y)


def test_the_mode_of_the_model_is_kept(model, validation):
    count = int(model.dropout.rngs.count[...])
    predict(model, validation.x)
    assert not model.dropout.deterministic
    assert int(model.dropout.rngs.count[...]) == count


def test_a_predictor_is_for_many_calls(model, validation):
    expected = predict(model, validation.x)
    call = predictor(model)
    model.logits.bias[...] += 1  # it has the weights of when it was made
    for rows in (0, 1, 37):
        np.testing.assert_allclose(call(validation.x[:rows]), expected[:rows], rtol=1e-5, atol=1e-6)
    assert not model.dropout.deterministic
    with pytest.raises(ZooError, match="batch_size must be a positive integer, got 0"):
        predictor(model, batch_size=0)


@pytest.mark.parametrize(
    ("numbers", "rows", "at_once"),
    [
        (LARGE_ROW, 3 * AT_ONCE, AT_ONCE),
        (LARGE_ROW, 13, 1),
        (LARGE_ROW, 3, 3),
        (LARGE_ROW - 1, 3 * AT_ONCE, 3 * AT_ONCE),
    ],
    ids=["large", "a prime number of them", "few", "not large"],
)
def test_large_examples_are_computed_a_few_at_a_time(numbers, rows, at_once):
    seen = []

    def sums(x):
        seen.append(x.shape[0])
        return x.sum(axis=1), {"first": x[:, :1]}

    x = jnp.arange(rows * numbers, dtype=jnp.float32).reshape(rows, numbers) / numbers
    total, parts = jax.jit(few_at_a_time(sums))(x)
    assert set(seen) == {at_once}
    np.testing.assert_allclose(total, x.sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(parts["first"], x[:, :1])


def test_nothing_to_predict(model, validation):
    with pytest.raises(ZooError, match="x must have at least one example, got none"):
        predict(model, validation.x[:0])
    with pytest.raises(ZooError, match="batch_size must be a positive integer, got 0"):
        predict(model, validation.x, batch_size=0)


def test_floats_reach_the_model_as_they_are(validation):
    class Sum(nnx.Module):
        def __call__(self, x):
            return x.reshape(x.shape[0], -1).sum(axis=1, keepdims=True)

    x = validation.x.astype(np.float32)
    np.testing.assert_allclose(predict(Sum(), x)[:, 0], x.sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(
        predict(Sum(), validation.x)[:, 0], x.sum(axis=(1, 2, 3)) / 255, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.full(37, 3, np.int32)}, "labels of split must be between 0 and 2"),
        ({"y": np.zeros(36, np.int32)}, "split must have one label for each example"),
        ({"x": np.full((37, 4, 4, 1), np.nan, np.float32)}, "split must be finite, got NaN"),
        ({"x": np.zeros((0, 4, 4, 1)), "y": np.zeros(0, np.int32)}, "at least one example"),
    ],
)
def test_a_split_that_has_no_score(model, validation, change, message):
    with pytest.raises(ZooError, match=message):
        evaluate(model, validation._replace(**change))
