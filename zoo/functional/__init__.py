"""All the arithmetic: pure functions of arrays, parameters first, channels last.

Every function can be jitted, differentiated and vmapped. Names, weight layouts and gate orders
are those of Keras, so that a Keras weight is a copy and never a permutation.
"""

from zoo.functional.activations import activation, elu, relu, softmax
from zoo.functional.bidirectional import bidirectional, merge_directions
from zoo.functional.conv1d import conv1d
from zoo.functional.convolution import ConvParams, conv2d
from zoo.functional.depthwise import SeparableConvParams, depthwise_conv2d, separable_conv2d
from zoo.functional.dropout import dropout, gaussian_noise, spatial_dropout
from zoo.functional.gru import gru, gru_step
from zoo.functional.label_paths import LabelSearch, beam_search, path_log_probabilities
from zoo.functional.linear import DenseParams, dense, embedding, embedding_bag
from zoo.functional.lstm import LSTMState, lstm, lstm_step
from zoo.functional.masking import steps_other_than, zero_masked
from zoo.functional.merging import (
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from zoo.functional.normalization import (
    BatchNormParams,
    BatchNormStats,
    LayerNormParams,
    batch_norm,
    layer_norm,
    rescale,
    standardize,
)
from zoo.functional.pooling import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from zoo.functional.pooling1d import avg_pool1d, global_avg_pool1d, global_max_pool1d, max_pool1d
from zoo.functional.recurrence import RecurrentParams
from zoo.functional.reshaping import (
    crop,
    flatten,
    permute,
    repeat_vector,
    reshape,
    upsample1d,
    upsample2d,
    zero_pad,
)
from zoo.functional.simple_rnn import simple_rnn, simple_rnn_step
from zoo.functional.time import time_distributed
from zoo.functional.wang_lstm import wang_lstm, wang_lstm_step

__all__ = [
    "BatchNormParams",
    "BatchNormStats",
    "ConvParams",
    "DenseParams",
    "LSTMState",
    "LabelSearch",
    "LayerNormParams",
    "RecurrentParams",
    "SeparableConvParams",
    "activation",
    "add",
    "average",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "beam_search",
    "bidirectional",
    "concatenate",
    "conv1d",
    "conv2d",
    "crop",
    "dense",
    "depthwise_conv2d",
    "dot",
    "dropout",
    "elu",
    "embedding",
    "embedding_bag",
    "flatten",
    "gaussian_noise",
    "global_avg_pool1d",
    "global_avg_pool2d",
    "global_max_pool1d",
    "global_max_pool2d",
    "gru",
    "gru_step",
    "layer_norm",
    "lstm",
    "lstm_step",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "merge_directions",
    "minimum",
    "multiply",
    "path_log_probabilities",
    "permute",
    "relu",
    "repeat_vector",
    "rescale",
    "reshape",
    "separable_conv2d",
    "simple_rnn",
    "simple_rnn_step",
    "softmax",
    "spatial_dropout",
    "standardize",
    "steps_other_than",
    "subtract",
    "time_distributed",
    "upsample1d",
    "upsample2d",
    "wang_lstm",
    "wang_lstm_step",
    "zero_masked",
    "zero_pad",
]
