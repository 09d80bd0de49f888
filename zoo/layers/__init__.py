"""Flax NNX modules with Keras's names, defaults and initialisers.

They hold parameters and call `zoo.functional`; there is no arithmetic here.
"""

from zoo.layers.convolution import Conv2D
from zoo.layers.core import Activation, Dense, Dropout, Embedding, Flatten
from zoo.layers.label_paths import LabelPathDecoder
from zoo.layers.layer import Layer
from zoo.layers.normalization import BatchNormalization
from zoo.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    MaxPooling2D,
)
from zoo.layers.recurrent import GRU, LSTM, Bidirectional, Recurrent, SimpleRNN
from zoo.layers.wang_lstm import WangLSTM

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "Bidirectional",
    "Conv2D",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "LabelPathDecoder",
    "Layer",
    "MaxPooling2D",
    "Recurrent",
    "SimpleRNN",
    "WangLSTM",
]
