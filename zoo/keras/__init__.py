"""Keras files in and out, without Keras.

`load_model` makes a Flax NNX module of a `.keras` or `.h5` file, `load_weights` fills a model
with a file's weights, and `save_model` and `save_weights` write files that Keras opens. Needs
h5py (the extra `keras`).
"""

from zoo.keras.loading import load_model, load_weights
from zoo.keras.model import KerasModel
from zoo.keras.writing import save_model, save_weights

__all__ = ["KerasModel", "load_model", "load_weights", "save_model", "save_weights"]
