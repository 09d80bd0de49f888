"""Cases so small that building one costs no more than its compiling."""

from functools import partial

import zoo
from benchmarks.cases import Case
from benchmarks.layer_models import convolution, recurrent

SMALL = {"input_shape": (8, 6, 2), "classes": 5}
CELL = {"steps": 7, "features": 5, "units": 4}


def model(name, targets="classes", **options):
    return Case(name, "models", partial(zoo.create_model, name, **SMALL, **options), 4, targets)


def layer(name, make):
    return Case(name, "layers", make, 3)


CASES = {
    case.name: case
    for case in (
        model("mnist_lstm", units=8),
        model("fashion_mnist_lstm", units=8, hidden=8),
        model("fashion_mnist_cnn", filters=4, units=8, hidden=8, dropout=0.0),
        model("cifar10_cnn", filters=(4, 6), hidden=8, pixel_mean=0.4, pixel_deviation=0.5),
        model("multilabel_cnn", "labels", features=8, hidden=8, dropout=0.0),
        model("cnn_rnn", "paths", features=8, units=8),
        layer("rnn", recurrent("SimpleRNN", **CELL)),
        layer("rnn_relu", recurrent("SimpleRNN", **CELL, activation="relu")),
        layer("lstm", recurrent("LSTM", **CELL)),
        layer("bilstm", recurrent("LSTM", **CELL, both=True)),
        layer("lstm_masked", recurrent("LSTM", **CELL, masked=True)),
        layer("bigru_masked", recurrent("GRU", **CELL, masked=True, both=True)),
        layer("gru", recurrent("GRU", **CELL)),
        layer("conv", convolution(6, 2, 4)),
    )
}
