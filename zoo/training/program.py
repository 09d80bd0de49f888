"""The compiled program: many training steps in one call, with the data on the device.

Python hands over a state and a number of steps and gets the state back. Order, augmentation
and arithmetic depend on the seed and the step alone, never on how the steps were cut into
calls, so a run that was interrupted and continued has the same bits as one that was not.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax
from jax.flatten_util import ravel_pytree

from zoo.data import Split
from zoo.errors import ZooError
from zoo.functional.batch_axis import BATCH_AXIS, own_rows
from zoo.functional.cudnn_lstm import without_cudnn
from zoo.training.arrays import Arrays, Weights, digest, weights_of
from zoo.training.config import TrainingConfig
from zoo.training.devices import training_devices
from zoo.training.evaluation import EVALUATION_BATCH, loss_and_correct
from zoo.training.functions import Augment, Preprocess
from zoo.training.objective import Objective, penalty
from zoo.training.optimizer import make_optimizer

NEVER = 2**31 - 1


def keys_of(seeds: Sequence[int]) -> jax.Array:
    """The keys of order and augmentation, `[seeds]`."""
    return jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))


class Totals(NamedTuple):
    """Sums over the steps of the epoch in progress."""

    steps: jax.Array
    loss: jax.Array
    correct: jax.Array


class DeviceSplit(NamedTuple):
    """A split on the device."""

    x: jax.Array
    y: jax.Array


def _on_device(split: Split) -> DeviceSplit:
    """Puts a split on the device."""
    return DeviceSplit(jnp.asarray(split.x), jnp.asarray(split.y))


class TrainingState(NamedTuple):
    """Everything that a run carries from step to step; a checkpoint is one of these."""

    step: jax.Array
    weights: Weights
    optimizer: optax.OptState
    totals: Totals
    first_bad_step: jax.Array
    """The step whose loss was not finite, or `NEVER`."""
    best: Weights | None
    """The best weights so far, where early stopping will want them back."""


class Program:
    """The compiled functions of one model, one configuration and one set of data.

    Seeds are what it is called with, so that one compiled program serves runs one after the other.
    With `several` seeds at a time every array of the state has a leading axis of seeds, and one
    call trains them all (`jax.vmap`), without cuDNN, which cannot be vectorised. A single seed goes
    without `vmap`, which would turn its convolutions into slower, grouped ones; its arrays have a
    leading axis of length one all the same, so that the caller need not tell the two apart.
    """

    def __init__(
        self,
        model: nnx.Module,
        train: Split,
        validation: Split | None,
        config: TrainingConfig,
        *,
        several: bool,
        objective: Objective,
        preprocess: Preprocess,
        augment: Augment | None,
    ):
        self.config, self.objective = config, objective
        self.preprocess, self.augment = preprocess, augment
        model = nnx.clone(model)
        model.train()
        self._graphdef = nnx.graphdef(model)
        model.eval()
        self._evaluation_graphdef = nnx.graphdef(model)
        if several and config.devices not in (None, 1):
            raise ZooError(
                "devices must be 1 or None where several seeds are trained at once, got "
                f"{config.devices}. With how='in_turn' seeds come one after the other."
            )
        self.devices = training_devices(model, config.batch_size, 1 if several else config.devices)
        place = self.devices.place
        self.train = place(_on_device(train))
        self.validation = None if validation is None else place(_on_device(validation))
        self._several, self.compiled = several, False
        self.steps_per_epoch = len(train.y) // config.batch_size
        self.total_steps = config.total_steps(len(train.y))
        self.rows_per_step = config.batch_size * _versions(augment, train)
        self._optimizer = make_optimizer(config, self.total_steps)
        self._shuffle = jax.jit(self._over_seeds(self._shuffle_one, (0, None)))
        run_one = self.devices.run_alike(self._run_one)
        self._run: Any = jax.jit(self._over_seeds(run_one, (0, 0, None, 0, None)), donate_argnums=0)
        self._evaluate: Any = jax.jit(self._over_seeds(self._evaluate_one, (0, None)))
        self._keep_best = jax.jit(self._over_seeds(_keep_best, (0, 0)), donate_argnums=0)

    def _over_seeds(self, function: Callable[..., Any], axes: tuple[int | None, ...]) -> Any:
        """`function` of one seed as a function of all; `axes` says which arguments have seeds."""
        if self._several:
            return jax.vmap(without_cudnn()(function), in_axes=axes)

        def of_the_only_seed(*args: Any) -> Any:
            args = tuple(
                arg if axis is None else jax.tree.map(lambda leaf: leaf[0], arg)
                for arg, axis in zip(args, axes, strict=True)
            )
            return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*args))

        return of_the_only_seed

    @cached_property
    def digests(self) -> dict[str, str | None]:
        """Both splits by a short name each, made of all their numbers: once for all seeds."""
        validation = self.validation
        return {
            "train": digest(self.train._asdict()),
            "validation": None if validation is None else digest(validation._asdict()),
        }

    def initial_state(self, models: list[nnx.Module]) -> TrainingState:
        """The state before the first step, of one freshly made model per seed."""
        keep_best = self.config.patience is not None
        states = []
        for model in models:
            # Copies, since the program overwrites its state in place and the caller keeps `model`.
            weights = jax.tree.map(jnp.copy, weights_of(model))
            states.append(
                TrainingState(
                    step=jnp.int32(0),
                    weights=weights,
                    optimizer=self._optimizer.init(weights.params),
                    totals=_no_totals(),
                    first_bad_step=jnp.int32(NEVER),
                    best=jax.tree.map(jnp.copy, weights) if keep_best else None,
                )
            )
        return self.devices.place(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))

    def compile(self, state: TrainingState, keys: jax.Array) -> None:
        """Compiles what the first calls would compile, so that they can be timed without it."""
        order = self._shuffle(keys, 0)
        self._run = self._run.lower(state, keys, self.train, order, jnp.int32(0)).compile()
        if self.validation is not None:
            self._evaluate = self._evaluate.lower(state.weights, self.validation).compile()
        self.compiled = True

    def order_of_epoch(self, keys: jax.Array, epoch: int) -> jax.Array:
        """The shuffled row numbers of an epoch for each seed's key, `[seeds, N]`."""
        return self._shuffle(keys, epoch)

    def run(
        self, state: TrainingState, keys: jax.Array, order: jax.Array, steps: int
    ) -> TrainingState:
        """Trains for `steps` steps within the epoch of `order`; `state` is used up."""
        return self._run(state, keys, self.train, order, jnp.int32(steps))

    def evaluate(self, weights: Weights) -> tuple[jax.Array, jax.Array]:
        """Mean loss and number of right answers on `validation` for each seed, `[seeds]`."""
        return self._evaluate(weights, self.validation)

    def start_epoch(self, state: TrainingState) -> TrainingState:
        """Sets the totals to zero."""
        return state._replace(totals=jax.tree.map(jnp.zeros_like, state.totals))

    def keep_best(self, state: TrainingState, improved: jax.Array) -> TrainingState:
        """Takes the weights of the seeds that `improved` as their best ones."""
        return self._keep_best(state, improved)

    def model_with(self, weights: Weights, seed_index: int) -> nnx.Module:
        """A module in evaluation mode with the weights of one seed."""
        weights = self.devices.on_first(weights)
        params, rest = jax.tree.map(lambda leaf: leaf[seed_index], weights)
        return nnx.merge(self._evaluation_graphdef, params, rest)

    # Everything below is for one seed, and traced.

    def _shuffle_one(self, key: jax.Array, epoch: jax.Array) -> jax.Array:
        order_key = jax.random.fold_in(jax.random.fold_in(key, 0), epoch)
        return jax.random.permutation(order_key, len(self.train.y))

    def _run_one(
        self,
        state: TrainingState,
        key: jax.Array,
        train: DeviceSplit,
        order: jax.Array,
        steps: jax.Array,
    ) -> TrainingState:
        augment_key, objective_key = jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)
        size = self.config.batch_size

        def step(_: jax.Array, state: TrainingState) -> TrainingState:
            start = state.step % self.steps_per_epoch * size
            rows = lax.dynamic_slice_in_dim(order, start, size)
            x, y = train.x[rows], train.y[rows]
            if self.augment is not None:
                x = self.augment(jax.random.fold_in(augment_key, state.step), x)
            y = jnp.tile(y, (len(x) // len(y), *[1] * (y.ndim - 1)))
            step_key = jax.random.fold_in(objective_key, state.step)
            return self._step(state, self.preprocess(own_rows(x)), own_rows(y), step_key)

        return lax.fori_loop(0, steps, step, state)

    def _step(
        self, state: TrainingState, x: jax.Array, y: jax.Array, key: jax.Array
    ) -> TrainingState:
        objective = self.objective

        def loss_of(params: Arrays) -> tuple[jax.Array, tuple[Arrays, jax.Array]]:
            model = nnx.merge(self._graphdef, params, state.weights.rest, copy=True)
            outputs = objective.outputs(model, x, y, key)
            correct = jnp.sum(objective.correct(outputs, y))
            loss = objective.batch_loss(self.config, outputs, y) + penalty(self.config, params)
            return loss, (weights_of(model).rest, correct)

        params = state.weights.params
        (loss, (rest, correct)), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
        if self.devices.count > 1:
            (loss, gradients, rest), correct = _of_whole_batch((loss, gradients, rest), correct)
        updates, optimizer = self._optimizer.update(gradients, state.optimizer, params)
        totals = state.totals
        return TrainingState(
            step=state.step + 1,
            weights=Weights(optax.apply_updates(params, updates), rest),
            optimizer=optimizer,
            totals=Totals(
                totals.steps + 1, totals.loss + loss, totals.correct + correct.astype(jnp.int32)
            ),
            first_bad_step=jnp.minimum(
                state.first_bad_step, jnp.where(jnp.isfinite(loss), NEVER, state.step)
            ),
            best=state.best,
        )

    def _evaluate_one(self, weights: Weights, split: DeviceSplit) -> tuple[jax.Array, jax.Array]:
        graphdef = self._evaluation_graphdef
        return loss_and_correct(
            self.objective,
            graphdef,
            weights,
            *split,
            self.preprocess,
            EVALUATION_BATCH,
            self.devices,
        )


def _of_whole_batch(means: Any, correct: jax.Array) -> tuple[Any, jax.Array]:
    """From means over one device's rows and a number of them to the batch's, in one exchange.

    What a layer of another library keeps of a batch is averaged as well. Of what is no floating
    number, such as keys and counts, the devices have the same.
    """
    devices = lax.axis_size(BATCH_AXIS)
    leaves, structure = jax.tree.flatten(means)
    parts = {
        i: leaf / devices
        for i, leaf in enumerate(leaves)
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    }
    # As one array, for the devices of a CPU wait for each other once for each: by a profile 0.3
    # instead of 0.8 ms of a training step of `mnist_lstm`.
    flat, unflattened = ravel_pytree((parts, correct.astype(jnp.float32)))
    sums, correct = unflattened(lax.psum(flat, BATCH_AXIS))
    leaves = [sums.get(i, leaf) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, leaves), correct


def _versions(augment: Augment | None, train: Split) -> int:
    """How many versions of each example a step sees."""
    if augment is None:
        return 1
    one = jax.ShapeDtypeStruct((1, *train.x.shape[1:]), train.x.dtype)
    return int(jax.eval_shape(augment, jax.random.key(0), one).shape[0])


def _no_totals() -> Totals:
    return Totals(jnp.int32(0), jnp.float32(0), jnp.int32(0))


def _keep_best(state: TrainingState, improved: jax.Array) -> TrainingState:
    best = jax.tree.map(lambda new, old: jnp.where(improved, new, old), state.weights, state.best)
    return state._replace(best=best)
