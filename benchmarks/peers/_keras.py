"""What Keras does alike on every backend: it opens the case's `.keras` file and compiles it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.material import KERAS_FILE, Material
from benchmarks.network import UnsupportedError

LEARNING_RATE, EPSILON = 1e-3, 1e-7


class KerasParticipant(ABC):
    """Trains with `fit` and predicts with `predict_on_batch`; a backend adds the gradient.

    `keras` is imported here and not above, after an adapter has chosen the backend.
    """

    packages: tuple[str, ...] = ()

    def __init__(self, material: Material, device: str):
        import keras

        material.shared_network()
        self.material, self.device_name = material, device
        if not (material.folder / KERAS_FILE).exists():
            raise UnsupportedError(
                "the .keras file of the case could not be written: h5py is missing."
            )
        self.model: Any = keras.saving.load_model(material.folder / KERAS_FILE, compile=False)
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if material.targets == "labels":
            classes = material.y.shape[1]
            mean = keras.losses.BinaryCrossentropy(from_logits=True)

            def loss(y: Any, outputs: Any) -> Any:
                return mean(y, outputs) * classes

        # jit_compile="auto", its default: compiled wherever Keras can.
        self.model.compile(
            optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON), loss=loss
        )
        self.batches = [
            (x, y.astype(np.float32) if material.targets == "labels" else y)
            for x, y in material.batches
        ]
        self.y = np.concatenate([y for _, y in self.batches])
        self.steps = 0

    @abstractmethod
    def gradient(self) -> Any:
        """The gradient of `sum(outputs · direction)` for the weights and the first batch."""

    @abstractmethod
    def wait(self, result: Any) -> None:
        """Returns when `result` is there."""

    @abstractmethod
    def forward(self) -> Any:
        """The outputs of the first batch, left on the device."""

    def outputs(self) -> np.ndarray:
        """See `Participant`."""
        return np.asarray(self.model.predict_on_batch(self.batches[0][0]))

    def losses(self, steps: int) -> list[float]:
        """See `Participant`."""
        return [float(self._train_on_batch()) for _ in range(steps)]

    def input_gradient(self) -> np.ndarray:
        """See `Participant`."""
        return np.asarray(self.gradient()[1])

    def _train_on_batch(self) -> Any:
        x, y = self.batches[self.steps % len(self.batches)]
        self.steps += 1
        loss = self.model.train_on_batch(x, y)
        return loss[0] if isinstance(loss, list) else loss

    def run(self, measure: str, steps: int) -> None:
        """See `Participant`. Whole epochs by `fit`, what is left batch by batch."""
        if measure == "train":
            epochs, left = divmod(steps, len(self.batches))
            if epochs:
                self.model.fit(
                    self.material.x,
                    self.y,
                    batch_size=self.material.batch,
                    epochs=epochs,
                    verbose=0,
                )
            for _ in range(left):
                self._train_on_batch()
            return
        if measure == "predict":  # gives NumPy arrays, so has waited
            for i in range(steps):
                self.model.predict_on_batch(self.batches[i % len(self.batches)][0])
            return
        compute = self.gradient if measure == "gradient" else self.forward
        for _ in range(steps):
            result = compute()
        self.wait(result)

    def about(self) -> Mapping[str, object]:
        """See `Participant`."""
        return {
            "device": self.device_name,
            "jit": bool(self.model.jit_compile),
            "versions": {name: metadata.version(name) for name in ("keras", *self.packages)},
        }
