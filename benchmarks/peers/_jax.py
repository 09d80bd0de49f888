"""What the participants on JAX share: the customary step with optax, compiled and donated."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.material import Material
from benchmarks.network import UnsupportedError

LEARNING_RATE, EPSILON = 1e-3, 1e-7


def loss_of(targets: str, outputs: jax.Array, y: jax.Array) -> jax.Array:
    """The mean loss of a batch: cross-entropy, or that of each label, summed."""
    if targets == "classes":
        return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
    if targets == "labels":
        return optax.sigmoid_binary_cross_entropy(outputs, y).sum(-1).mean()
    raise UnsupportedError("this case is not trained by a loss of outputs and targets alone.")


class JaxParticipant(ABC):
    """Trains, predicts and differentiates; a library's adapter says how its model is called.

    A subclass sets `params` and `rest` (trees of arrays) and defines `apply`.
    """

    params: Any
    rest: Any
    packages: tuple[str, ...] = ()

    def __init__(self, material: Material, device: str):
        self.material = material
        self.device = jax.devices(device)[0]
        self.batches = [tuple(map(jnp.asarray, batch)) for batch in material.batches]
        self.direction = jnp.asarray(material.direction)
        self.key = jax.random.key(0)
        self.build()
        self._optimizer = optax.adam(LEARNING_RATE, eps=EPSILON)
        # Copies: a step overwrites its state in place, and prediction keeps the first weights.
        self._state = jax.tree.map(
            jnp.copy, (self.params, self.rest, self._optimizer.init(self.params))
        )
        self._steps = 0
        self._step = jax.jit(self._train_step, donate_argnums=0)
        self._forward = jax.jit(self._predict)
        self._gradient = jax.jit(jax.grad(self._directed, argnums=(0, 2)))

    @abstractmethod
    def build(self) -> None:
        """Makes the model and sets `params` and `rest`."""

    @abstractmethod
    def apply(
        self, params: Any, rest: Any, x: jax.Array, key: jax.Array | None
    ) -> tuple[jax.Array, Any]:
        """Outputs and the new `rest`; in training where there is a key for dropout."""

    def _predict(self, params: Any, rest: Any, x: jax.Array) -> jax.Array:
        return self.apply(params, rest, x, None)[0]

    def _directed(self, params: Any, rest: Any, x: jax.Array, direction: jax.Array) -> jax.Array:
        return jnp.sum(self.apply(params, rest, x, None)[0] * direction)

    def _train_step(
        self, state: Any, x: jax.Array, y: jax.Array, key: jax.Array, step: int
    ) -> tuple[Any, jax.Array]:
        params, rest, optimizer = state

        def loss(params: Any) -> tuple[jax.Array, Any]:
            outputs, new = self.apply(params, rest, x, jax.random.fold_in(key, step))
            return loss_of(self.material.targets, outputs, y), new

        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        updates, optimizer = self._optimizer.update(gradients, optimizer, params)
        return (optax.apply_updates(params, updates), rest, optimizer), value

    def outputs(self) -> np.ndarray:
        """See `Participant`."""
        return np.asarray(self._forward(self.params, self.rest, self.batches[0][0]))

    def losses(self, steps: int) -> list[float]:
        """See `Participant`."""
        return [float(self._train()) for _ in range(steps)]

    def input_gradient(self) -> np.ndarray:
        """See `Participant`."""
        x = self.batches[0][0]
        return np.asarray(self._gradient(self.params, self.rest, x, self.direction)[1])

    def _train(self) -> jax.Array:
        x, y = self.batches[self._steps % len(self.batches)]
        self._state, loss = self._step(self._state, x, y, self.key, self._steps)
        self._steps += 1
        return loss

    def run(self, measure: str, steps: int) -> None:
        """See `Participant`. As users do, calls are queued, and waited for at the end."""
        result: Any = None
        for i in range(steps):
            x = self.batches[i % len(self.batches)][0]
            if measure == "train":
                result = self._train()
            elif measure == "gradient":
                result = self._gradient(self.params, self.rest, x, self.direction)
            else:
                result = self._forward(self.params, self.rest, x)
                if measure == "predict":  # the answer is wanted before the next question
                    jax.block_until_ready(result)
        jax.block_until_ready(result)

    def about(self) -> Mapping[str, object]:
        """See `Participant`."""
        return about_jax(self.device, ("jax", "jaxlib", *self.packages))


def about_jax(device: Any, packages: tuple[str, ...]) -> Mapping[str, object]:
    """Device, its peak memory where it counts it, and versions."""
    memory = device.memory_stats() or {}
    return {
        "device": device.device_kind,
        "device peak bytes": memory.get("peak_bytes_in_use"),
        "versions": {package: metadata.version(package) for package in packages},
    }
