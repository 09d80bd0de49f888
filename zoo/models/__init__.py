"""One architecture a file, and the registry that finds them by name."""

from zoo.models.cifar10_cnn import CIFAR10CNN, CIFAR10CNNConfig
from zoo.models.cnn_rnn import CNNRNN, CNNRNNConfig
from zoo.models.crnn import CRNN, CRNNConfig
from zoo.models.ecrnn import ECRNN, ECRNNConfig
from zoo.models.ecrnn_cnn import ECRNNCNN, ECRNNCNNConfig
from zoo.models.fashion_mnist_cnn import FashionMNISTCNN, FashionMNISTCNNConfig
from zoo.models.fashion_mnist_lstm import FashionMNISTLSTM, FashionMNISTLSTMConfig
from zoo.models.inception_a_gru import InceptionAGRU, InceptionAGRUConfig
from zoo.models.inception_gru import InceptionGRU, InceptionGRUConfig, InceptionGRUHead
from zoo.models.inception_v3 import TAPS, InceptionV3, InceptionV3Config, inception_preprocess
from zoo.models.mnist_lstm import MNISTLSTM, MNISTLSTMConfig
from zoo.models.multilabel_cnn import MultilabelCNN, MultilabelCNNConfig
from zoo.models.registry import create_model, list_models, model_config, register_model
from zoo.models.text_linear import TextLinear, TextLinearConfig
from zoo.models.text_ngram_lstm import TextNGramLSTM, TextNGramLSTMConfig
from zoo.models.text_recurrent import TextGRU, TextLSTM, TextRecurrentConfig, TextRNN
from zoo.models.weights import set_weights, weights_of

__all__ = [
    "CIFAR10CNN",
    "CNNRNN",
    "CRNN",
    "ECRNN",
    "ECRNNCNN",
    "MNISTLSTM",
    "TAPS",
    "CIFAR10CNNConfig",
    "CNNRNNConfig",
    "CRNNConfig",
    "ECRNNCNNConfig",
    "ECRNNConfig",
    "FashionMNISTCNN",
    "FashionMNISTCNNConfig",
    "FashionMNISTLSTM",
    "FashionMNISTLSTMConfig",
    "InceptionAGRU",
    "InceptionAGRUConfig",
    "InceptionGRU",
    "InceptionGRUConfig",
    "InceptionGRUHead",
    "InceptionV3",
    "InceptionV3Config",
    "MNISTLSTMConfig",
    "MultilabelCNN",
    "MultilabelCNNConfig",
    "TextGRU",
    "TextLSTM",
    "TextLinear",
    "TextLinearConfig",
    "TextNGramLSTM",
    "TextNGramLSTMConfig",
    "TextRNN",
    "TextRecurrentConfig",
    "create_model",
    "inception_preprocess",
    "list_models",
    "model_config",
    "register_model",
    "set_weights",
    "weights_of",
]
