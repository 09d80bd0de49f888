"""The CNN-RNN's recurrent layer against its equations, step by step in NumPy."""

import numpy as np
import pytest

from tests.functional import reference
from tests.functional.cases import MASK, WANG_LSTM, directions, sequences, zoo_error
from tests.functional.tolerances import assert_close
from zoo import functional as F


@directions
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_it_is_the_paper_s(activation, bias, reverse):
    rng = np.random.default_rng(0)
    params, x, state = WANG_LSTM.params(rng, bias), sequences(rng), WANG_LSTM.state(rng)
    options = {"mask": MASK, "reverse": reverse, "activation": activation}
    outputs, last = reference.recurrent("wang_lstm", params, x, tuple(state), **options)
    assert_close(F.wang_lstm(params, x, state, **options), (outputs, F.LSTMState(*last)))


def test_a_sequence_is_its_steps():
    rng = np.random.default_rng(1)
    params, x, state = WANG_LSTM.params(rng), sequences(rng), WANG_LSTM.state(rng)
    outputs, last = F.wang_lstm(params, x, state)
    for step in range(x.shape[1]):
        state, output = F.wang_lstm_step(params, state, x[:, step])
        assert_close(output, outputs[:, step])
    assert_close(state, last)


def test_a_state_that_is_no_pair():
    rng = np.random.default_rng(2)
    x = sequences(rng)
    with zoo_error(f"state must be an LSTMState(h, c), got {type(x).__name__}."):
        F.wang_lstm(WANG_LSTM.params(rng), x, x)
