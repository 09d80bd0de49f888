"""Keras on JAX."""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp

from benchmarks.material import Material
from benchmarks.peers._keras import KerasParticipant


class Adapter(KerasParticipant):
    """See `benchmarks.peers.Participant`; the gradient is `jax.grad` of `stateless_call`."""

    packages = ("jax", "jaxlib")

    def __init__(self, material: Material, device: str):
        super().__init__(material, device)

        def outputs(values: Any, rest: Any, x: jax.Array) -> jax.Array:
            return self.model.stateless_call(values, rest, x)[0]

        def directed(values: Any, x: jax.Array, rest: Any, direction: jax.Array) -> jax.Array:
            return jnp.sum(outputs(values, rest, x) * direction)

        self._forward, self._gradient = jax.jit(outputs), jax.jit(jax.grad(directed, (0, 1)))
        self._x, self._direction = jnp.asarray(self.batches[0][0]), jnp.asarray(material.direction)

    def forward(self) -> Any:
        """See `KerasParticipant`."""
        return self._forward(*self._variables(), self._x)

    def gradient(self) -> Any:
        """See `KerasParticipant`."""
        values, rest = self._variables()
        return self._gradient(values, self._x, rest, self._direction)

    def wait(self, result: Any) -> None:
        """See `KerasParticipant`."""
        jax.block_until_ready(result)

    def _variables(self) -> tuple[list[Any], list[Any]]:
        """The model's arrays as they are now: `predict` and `fit` donate them and set new ones."""
        return (
            [variable.value for variable in self.model.trainable_variables],
            [variable.value for variable in self.model.non_trainable_variables],
        )
