"""Flax NNX modules with Keras's names, defaults and initialisers.

They hold parameters and call `zoo.functional`; there is no arithmetic here.
"""

from zoo.layers.activations import ELU, LeakyReLU, ReLU, Softmax
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.convolution import Conv1D, Conv2D
from zoo.layers.core import Activation, Dense, Embedding, EmbeddingBag
from zoo.layers.label_paths import LabelPathDecoder
from zoo.layers.layer import Layer
from zoo.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Merge,
    Minimum,
    Multiply,
    Subtract,
)
from zoo.layers.noise import (
    Dropout,
    GaussianNoise,
    SpatialDropout,
    SpatialDropout1D,
    SpatialDropout2D,
)
from zoo.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
)
from zoo.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from zoo.layers.recurrent import GRU, LSTM, Recurrent, SimpleRNN
from zoo.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    Slice,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from zoo.layers.separable import DepthwiseConv2D, SeparableConv2D
from zoo.layers.time import Masking, TimeDistributed
from zoo.layers.wang_lstm import WangLSTM

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "LabelPathDecoder",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Merge",
    "Minimum",
    "Multiply",
    "Normalization",
    "Permute",
    "ReLU",
    "Recurrent",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "SimpleRNN",
    "Slice",
    "Softmax",
    "SpatialDropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "Subtract",
    "TimeDistributed",
    "UpSampling1D",
    "UpSampling2D",
    "WangLSTM",
    "ZeroPadding1D",
    "ZeroPadding2D",
]
