"""One architecture a file, and the registry that finds them by name."""

from zoo.models.fashion_mnist_cnn import FashionMNISTCNN, FashionMNISTCNNConfig
from zoo.models.fashion_mnist_lstm import FashionMNISTLSTM, FashionMNISTLSTMConfig
from zoo.models.mnist_lstm import MNISTLSTM, MNISTLSTMConfig
from zoo.models.registry import create_model, list_models, model_config, register_model
from zoo.models.weights import set_weights, weights_of

__all__ = [
    "MNISTLSTM",
    "FashionMNISTCNN",
    "FashionMNISTCNNConfig",
    "FashionMNISTLSTM",
    "FashionMNISTLSTMConfig",
    "MNISTLSTMConfig",
    "create_model",
    "list_models",
    "model_config",
    "register_model",
    "set_weights",
    "weights_of",
]
