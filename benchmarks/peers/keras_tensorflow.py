"""Keras on TensorFlow."""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from benchmarks.material import Material
from benchmarks.network import UnsupportedError
from benchmarks.peers._keras import KerasParticipant


class Adapter(KerasParticipant):
    """See `benchmarks.peers.Participant`; the gradient is a tape's, in a `tf.function`."""

    packages = ("tensorflow-cpu",)

    def __init__(self, material: Material, device: str):
        if device != "cpu" and not tf.config.list_physical_devices(device.upper()):
            raise UnsupportedError(f"this TensorFlow has no {device}.")
        super().__init__(material, device)
        direction, jit = tf.constant(material.direction), bool(self.model.jit_compile)
        variables = [variable.value for variable in self.model.trainable_variables]

        @tf.function(jit_compile=jit)
        def outputs(x: Any) -> Any:
            return self.model(x, training=False)

        @tf.function(jit_compile=jit)
        def gradient(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(self.model(x, training=False) * direction)
            return tape.gradient(loss, (variables, x))

        self._forward, self._gradient = outputs, gradient
        self._x = tf.constant(self.batches[0][0])

    def forward(self) -> Any:
        """See `KerasParticipant`."""
        return self._forward(self._x)

    def gradient(self) -> Any:
        """See `KerasParticipant`."""
        return self._gradient(self._x)

    def wait(self, result: Any) -> None:
        """See `KerasParticipant`: copying to the host waits."""
        for tensor in tf.nest.flatten(result):
            tensor.numpy()
