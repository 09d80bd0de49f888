"""All the arithmetic: pure functions of arrays, parameters first, channels last.

Every function can be jitted, differentiated and vmapped. Names, weight layouts and gate orders
are those of Keras, so that a Keras weight is a copy and never a permutation.
"""

from zoo.functional.activations import activation
from zoo.functional.bidirectional import bidirectional, merge_directions
from zoo.functional.convolution import ConvParams, conv2d
from zoo.functional.dropout import dropout
from zoo.functional.gru import gru, gru_step
from zoo.functional.label_paths import LabelSearch, beam_search, path_log_probabilities
from zoo.functional.linear import DenseParams, dense, embedding
from zoo.functional.lstm import LSTMState, lstm, lstm_step
from zoo.functional.normalization import BatchNormParams, BatchNormStats, batch_norm
from zoo.functional.pooling import (
    avg_pool2d,
    flatten,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
)
from zoo.functional.recurrence import RecurrentParams
from zoo.functional.simple_rnn import simple_rnn, simple_rnn_step
from zoo.functional.wang_lstm import wang_lstm, wang_lstm_step

__all__ = [
    "BatchNormParams",
    "BatchNormStats",
    "ConvParams",
    "DenseParams",
    "LSTMState",
    "LabelSearch",
    "RecurrentParams",
    "activation",
    "avg_pool2d",
    "batch_norm",
    "beam_search",
    "bidirectional",
    "conv2d",
    "dense",
    "dropout",
    "embedding",
    "flatten",
    "global_avg_pool2d",
    "global_max_pool2d",
    "gru",
    "gru_step",
    "lstm",
    "lstm_step",
    "max_pool2d",
    "merge_directions",
    "path_log_probabilities",
    "simple_rnn",
    "simple_rnn_step",
    "wang_lstm",
    "wang_lstm_step",
]
