"""The CNN-RNN's recurrent layer is its function, with the weights that Keras would draw."""

import jax
import numpy as np
import pytest
from flax import nnx

from tests.functional.cases import zoo_error
from zoo import functional as F
from zoo.errors import ZooError
from zoo.layers import WangLSTM

X = np.asarray(jax.random.normal(jax.random.key(0), (2, 5, 3)))


def test_it_is_its_function():
    layer = WangLSTM(3, 4, return_sequences=True, rngs=nnx.Rngs(0))
    expected, _ = F.wang_lstm(layer.params, X)
    np.testing.assert_array_equal(layer(X), expected)
    last = WangLSTM(3, 4, activation="tanh", rngs=nnx.Rngs(0))
    expected, _ = F.wang_lstm(last.params, X, activation="tanh")
    np.testing.assert_array_equal(last(X), expected[:, -1])


def test_its_weights():
    layer = WangLSTM(3, 4, rngs=nnx.Rngs(0))
    assert layer.kernel.shape == (3, 16)
    recurrent = np.asarray(layer.recurrent_kernel[...])
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-5)
    assert np.asarray(layer.bias[...]).tolist() == [0] * 4 + [1] * 4 + [0] * 8


def test_a_bad_argument_is_refused_at_construction():
    with zoo_error("units must be a positive integer, got 0."):
        WangLSTM(3, 0, rngs=nnx.Rngs(0))
    with pytest.raises(ZooError, match="unknown activation 'rel': did you mean 'relu'"):
        WangLSTM(3, 4, activation="rel", rngs=nnx.Rngs(0))
