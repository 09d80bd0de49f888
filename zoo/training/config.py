"""What a training run is asked to do."""

import math
from dataclasses import dataclass
from typing import Literal

from zoo.errors import ZooError, check_positive


@dataclass(frozen=True)
class TrainingConfig:
    """Options of `fit`; each is checked when the config is made.

    The documentation of each field is also its help text at the command line.
    """

    epochs: int = 5
    """Passes over the training data."""
    steps: int | None = None
    """Train for this many steps instead of a number of epochs."""
    batch_size: int = 32
    """Examples in a step."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Adam (Kingma and Ba, 2015), or gradient descent with momentum."""
    learning_rate: float = 1e-3
    """Step size; the highest one where a schedule changes it."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """How the learning rate goes to zero by the last step, or that it does not."""
    warmup: float = 0.0
    """Share of the steps in which the learning rate climbs from zero first."""
    beta_1: float = 0.9
    """Decay of Adam's mean of gradients; the momentum of sgd."""
    beta_2: float = 0.999
    """Decay of Adam's mean of squared gradients."""
    epsilon: float = 1e-7
    """Adam's guard against division by zero (Keras has 1e-7, TensorFlow 1 had 1e-8)."""
    weight_decay: float = 0.0
    """Decoupled decay of kernels and embeddings (Loshchilov and Hutter, 2019)."""
    l1: float = 0.0
    """Adds this times the sum of absolute kernel and embedding weights to the loss."""
    l2: float = 0.0
    """Adds this times the sum of squared kernel and embedding weights to the loss."""
    clip_norm: float | None = None
    """Scales the gradients of a step down to this joint norm."""
    label_smoothing: float = 0.0
    """Share of each label that is spread evenly over all classes."""
    class_weights: tuple[float, ...] | None = None
    """A factor for the loss of each class's examples."""
    patience: int | None = None
    """Stop when validation has not improved for this many epochs, and restore the best weights."""
    monitor: Literal["loss", "accuracy"] = "loss"
    """The validation figure that early stopping looks at."""
    devices: int | None = None
    """Devices that share each batch. Without it all of them do for recurrent layers or many weights
    in convolutions, if they divide it evenly, else one; `zoo/training/devices.py` says what that
    gains."""
    checkpoint_seconds: float = 30.0
    """Least time between two checkpoints; a kill loses at most what came since the last one."""

    def __post_init__(self) -> None:
        check_positive(epochs=self.epochs, batch_size=self.batch_size)
        if self.steps is not None:
            check_positive(steps=self.steps)
        if self.patience is not None:
            check_positive(patience=self.patience)
        if self.devices is not None:
            check_positive(devices=self.devices)
        for name, choices in (
            ("optimizer", ("adam", "sgd")),
            ("schedule", ("constant", "cosine", "linear")),
            ("monitor", ("loss", "accuracy")),
        ):
            if getattr(self, name) not in choices:
                raise ZooError(f"{name} must be one of {choices}, got {getattr(self, name)!r}.")
        for name in ("weight_decay", "l1", "l2", "checkpoint_seconds"):
            if not _is_number(value := getattr(self, name)) or not value >= 0:
                raise ZooError(f"{name} must be a number, at least 0, got {value!r}.")
        for name in ("warmup", "beta_1", "beta_2", "label_smoothing"):
            if not _is_number(value := getattr(self, name)) or not 0 <= value < 1:
                raise ZooError(
                    f"{name} must be a number, at least 0 and less than 1, got {value!r}."
                )
        for name in ("learning_rate", "epsilon", "clip_norm"):
            value = getattr(self, name)
            if name == "clip_norm" and value is None:
                continue
            if not _is_number(value) or not 0 < value < math.inf:
                raise ZooError(f"{name} must be a number, more than 0 and finite, got {value!r}.")
        weights = self.class_weights
        if weights is not None and not (
            isinstance(weights, tuple) and all(_is_number(w) and w >= 0 for w in weights)
        ):
            raise ZooError(
                f"class_weights must be a tuple of numbers, at least 0, got {weights!r}."
            )

    def total_steps(self, examples: int) -> int:
        """Steps of the whole run over a training set of `examples`."""
        return self.steps or self.epochs * (examples // self.batch_size)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
