"""Ours: the real training program of `zoo.training`, and the one forward contract of all models."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.cases import SEED_COUNTS, all_cases
from benchmarks.material import Material
from benchmarks.peers._jax import EPSILON, LEARNING_RATE, about_jax
from zoo.data import Split, unit_range
from zoo.models import set_weights
from zoo.training import (
    Classification,
    IndependentLabels,
    LabelPaths,
    TrainingConfig,
    fit_seeds,
    keep_memory,
    predictor,
    split_cpu,
    widen_vectors,
)
from zoo.training.arrays import weights_of
from zoo.training.devices import predicting_devices
from zoo.training.program import Program, keys_of


class Adapter:
    """See `benchmarks.peers.Participant`."""

    def __init__(self, material: Material, device: str):
        self.material = material
        if device == "cpu":
            # As every recipe does.
            split_cpu()
            keep_memory()
            widen_vectors()
        self.device = jax.devices(device)[0]
        model: Any = all_cases()[material.case].make(rngs=nnx.Rngs(0))
        set_weights(model, material.weights)
        self._model = model
        self._predict = predictor(model, batch_size=material.batch)
        devices = predicting_devices(model, material.batch)
        self._batches = [devices.place_rows(jnp.asarray(x)) for x, _ in material.batches]
        evaluating = nnx.clone(model)
        evaluating.eval()
        graphdef, self._weights = nnx.graphdef(evaluating), weights_of(evaluating)

        def directed(params: Any, x: jax.Array, rest: Any, direction: jax.Array) -> jax.Array:
            merged: Any = nnx.merge(graphdef, params, rest)
            return jnp.sum(merged(x) * direction)

        self._gradient = jax.jit(jax.grad(directed, argnums=(0, 1)))
        self._direction = jnp.asarray(material.direction)
        self._program: Program | None = None
        self._loss_sum = 0.0

    def _start_training(self) -> Program:
        material = self.material
        objective: Any = Classification()
        if material.targets != "classes":
            labels: Any = {"labels": IndependentLabels, "paths": lambda: LabelPaths.of(material.y)}
            objective = labels[material.targets]()
        self._program = program = Program(
            self._model,
            Split(material.x, material.y),
            None,
            TrainingConfig(
                # More than will be trained: a schedule would see it, a constant rate does not.
                steps=2**30,
                batch_size=material.batch,
                learning_rate=LEARNING_RATE,
                epsilon=EPSILON,
            ),
            several=False,
            objective=objective,
            preprocess=unit_range,
            augment=None,
        )
        self._state = program.initial_state([self._model])
        self._keys = keys_of([0])
        # Rows as they lie, as for the peers.
        self._order = jnp.arange(len(material.x), dtype=jnp.int32)[None]
        return program

    def _train(self, steps: int) -> Any:
        program = self._program or self._start_training()
        self._state = program.run(self._state, self._keys, self._order, steps)
        return self._state.totals

    def _train_seeds(self, seeds: int, steps: int) -> None:
        """A whole `fit_seeds`, processes and compiling included, of so many steps a seed."""
        fit_seeds(
            all_cases()[self.material.case].make,
            Split(self.material.x, self.material.y),
            seeds=range(seeds),
            config=TrainingConfig(steps=steps, batch_size=self.material.batch),
            progress=False,
        )

    def outputs(self) -> np.ndarray:
        """See `Participant`."""
        return np.asarray(self._predict(self._batches[0]))

    def losses(self, steps: int) -> list[float]:
        """See `Participant`. The program keeps the sum over an epoch's steps."""
        sums = [self._loss_sum, *(float(self._train(1).loss[0]) for _ in range(steps))]
        self._loss_sum = sums[-1]
        return np.diff(sums).tolist()

    @cached_property
    def _whole_batches(self) -> list[jax.Array]:
        """On one device, for gradients: a function that is differentiated is not cut."""
        return [jnp.asarray(x) for x, _ in self.material.batches]

    def input_gradient(self) -> np.ndarray:
        """See `Participant`."""
        return np.asarray(self._gradients(0)[1])

    def _gradients(self, step: int) -> Any:
        params, rest = self._weights
        x = self._whole_batches[step % len(self._whole_batches)]
        return self._gradient(params, x, rest, self._direction)

    def run(self, measure: str, steps: int) -> None:
        """See `Participant`. Training is one call for all steps, as in `zoo.training.fit`."""
        if measure in SEED_COUNTS:
            self._train_seeds(SEED_COUNTS[measure], steps)
            return
        if measure == "train":
            jax.block_until_ready(self._train(steps))
            return
        result: Any = None
        for i in range(steps):
            if measure == "gradient":
                result = self._gradients(i)
                continue
            result = self._predict(self._batches[i % len(self._batches)])
            if measure == "predict":
                jax.block_until_ready(result)
        jax.block_until_ready(result)

    def about(self) -> Mapping[str, object]:
        """See `Participant`."""
        return about_jax(self.device, ("zoo", "jax", "jaxlib", "flax", "optax"))
