"""Devices that share a batch, and the cores of a CPU as such devices."""

import os
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from zoo.errors import ZooError, check_positive
from zoo.functional.batch_axis import BATCH_AXIS
from zoo.layers import GRU, LSTM, Conv2D, SimpleRNN

Tree = TypeVar("Tree")

# A device has at least so many rows: what was measured.
FEWEST_ROWS, FEWEST_ROWS_OF_MANY = 16, 2
# So many convolutions have so many small operations between them that a prediction gains by a cut.
# Inception v3 has 94, inception_a_gru 8, every other model of this package 4 at most.
MANY_CONVOLUTIONS = 8
# So much of a model's weights are in convolutions where training gains by a cut: those are used for
# every pixel, and all weights are what a cut costs.
LARGE_SHARE = 0.05

_ALIKE, _CUT = PartitionSpec(), PartitionSpec(BATCH_AXIS)


def cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def split_cpu(devices: int | None = None) -> None:
    """Makes several JAX devices of the CPU.

    As many as are asked for, else as the variable `JAX_NUM_CPU_DEVICES` says (1 is as if this had
    not been called), else as many as this process has cores.

    Training with recurrent layers or many weights in convolutions then cuts each batch over them
    (see `TrainingConfig.devices`), and so do predictions with recurrent layers or many
    convolutions, which is faster: the small operations of a program run one by one, so that a
    recurrence has one core at a time, while each device runs its part of a batch on its own.
    Everything else runs on the first device, which still has all cores for what is large.

    To be called right after the imports, before JAX is first used.

    Raises:
        ZooError: JAX has been used already.
    """
    if devices is None and "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    count = len(cores()) if devices is None else devices
    check_positive(devices=count)
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError as error:
        raise ZooError(
            "split_cpu must be called before JAX is first used: right after the imports."
        ) from error


@dataclass(frozen=True)
class BatchDevices:
    """Where a batch is computed: its rows on one device, or cut over several."""

    mesh: Mesh

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.mesh.size)

    def place(self, tree: Tree) -> Tree:
        """The arrays on all devices alike."""
        if self.count == 1:
            return tree
        placed: Tree = jax.device_put(tree, NamedSharding(self.mesh, _ALIKE))
        return placed

    def place_rows(self, x: Any) -> Any:
        """An array `[B, ...]`, each device with rows of its own if they divide it evenly."""
        if self.count == 1:
            return x
        spec = _ALIKE if x.shape[0] % self.count else _CUT
        return jax.device_put(x, NamedSharding(self.mesh, spec))

    def on_first(self, tree: Tree) -> Tree:
        """The arrays that were on all devices alike, on the first alone."""
        if self.count == 1:
            return tree
        first: Tree = jax.device_put(tree, self.mesh.devices.flat[0])
        return first

    def run_alike(self, function: Any) -> Any:
        """`function` on each device, to be the same on all; see `zoo.functional.batch_axis`."""
        return self._mapped(function, _ALIKE, _ALIKE)

    def over_rows(self, function: Any) -> Any:
        """`function(weights, *arrays)` of arrays `[B, ...]`, each device with rows of its own."""

        def of_arrays(weights: Any, *arrays: jax.Array) -> Any:
            if arrays[0].shape[0] % self.count:
                return function(weights, *arrays)
            inputs = (_ALIKE, *(_CUT for _ in arrays))
            return self._mapped(function, inputs, _CUT)(weights, *arrays)

        return of_arrays

    def _mapped(self, function: Any, inputs: Any, outputs: Any) -> Any:
        if self.count == 1:
            return function
        # Unchecked, for a model may be anybody's: the check would want a loop that starts from
        # zeros to say that it differs from device to device afterwards.
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=inputs, out_specs=outputs, check_vma=False
        )


def training_devices(model: nnx.Module, batch_size: int, asked: int | None = None) -> BatchDevices:
    """The devices for training a model with batches of `batch_size` rows.

    By default one, or where the model has a recurrent layer or a `LARGE_SHARE` of its weights in
    convolutions, as many of the local ones as divide a batch evenly, with `FEWEST_ROWS` each; but
    one where it has `MANY_CONVOLUTIONS`. Milliseconds of a training step on the two cores of an AMD
    EPYC (Zen 5), jax 0.10.2, vectors of 512 bits, memory kept:

    | model (batch) | one device | two | ratio | convolutions' weights |
    | --- | --- | --- | --- | --- |
    | fashion_mnist_lstm (32) | 4.96 | **3.42** | 0.69 | |
    | mnist_lstm (128) | 8.48 | **5.99** | 0.71 | |
    | text_gru (32) | 7.75 | **5.77** | 0.74 | |
    | multilabel_cnn (32) | 4.80 | **3.62** | 0.75 | 9.4 % |
    | cnn_rnn (32) | 5.26 | **3.98** | 0.76 | 9.4 % |
    | crnn (128) | 89.7 | **69.0** | 0.77 | |
    | text_lstm (32) | 9.19 | **7.49** | 0.82 | |
    | text_rnn (32) | 2.26 | **1.92** | 0.85 | |
    | ecrnn (128) | 94.8 | **82.3** | 0.87 | |
    | cifar10_cnn (64) | 15.8 | **13.8** | 0.87 | 26 % |
    | text_ngram_lstm (32) | 6.11 | **5.61** | 0.92 | |
    | ecrnn_cnn (128) | 50.6 | **47.3** | 0.93 | 97 % |
    | inception_gru (4) | **674** | 802 | 1.19 | |
    | inception_v3 (8) | **1358** | 1708 | 1.26 | |
    | fashion_mnist_cnn (32) | **1.07** | 1.59 | 1.48 | 0.05 % |
    | text_linear (32) | **0.28** | 0.42 | 1.48 | |

    With one heap for all threads (see `keep_memory`) text_rnn gained nothing by a cut (2.8 and 3.0)
    and cnn_rnn less (7.6 and 6.8).

    A cut costs the sum of the gradients over the devices (0.8 of 9 ms for text_lstm, waiting for
    the other device included), and each device runs the optimiser for all weights.

    Raises:
        ZooError: there are not as many as were asked for, or a batch cannot be cut over them.
    """
    local = jax.local_devices()
    if asked is None:
        gains = not _is_deep(model) and (
            _is_recurrent(model) or _share_of_convolutions(model) >= LARGE_SHARE
        )
        return _as_many_as_divide(batch_size, FEWEST_ROWS) if gains else _first(1)
    if asked > len(local) or batch_size % asked:
        raise ZooError(
            f"devices must divide batch_size={batch_size} and be at most {len(local)}, as many as "
            f"JAX has here, got {asked}. On a CPU call zoo.training.split_cpu first."
        )
    return _first(asked)


def predicting_devices(model: nnx.Module, batch_size: int) -> BatchDevices:
    """The devices for predictions of a model with batches of `batch_size` rows.

    One, or where the model has a recurrent layer or `MANY_CONVOLUTIONS` as many of the local ones
    as divide a batch evenly, with `FEWEST_ROWS` each, of many convolutions `FEWEST_ROWS_OF_MANY`.
    Milliseconds of a prediction, as in `training_devices`:

    | model (batch) | one device | two | ratio |
    | --- | --- | --- | --- |
    | mnist_lstm (128) | 3.46 | **1.90** | 0.55 |
    | fashion_mnist_lstm (32) | 1.77 | **1.16** | 0.65 |
    | text_gru (32) | 2.77 | **2.18** | 0.78 |
    | cnn_rnn (32) | 2.20 | **1.76** | 0.80 |
    | inception_a_gru (32) | 394 | **327** | 0.83 |
    | crnn (128) | 19.2 | **16.0** | 0.83 |
    | text_lstm (32) | 2.55 | **2.14** | 0.84 |
    | inception_v3 (8) | 268 | **225** | 0.84 |
    | text_rnn (32) | 0.81 | **0.69** | 0.85 |
    | ecrnn (128) | 20.6 | **17.7** | 0.86 |
    | inception_gru (4) | 130 | **119** | 0.92 |
    | text_ngram_lstm (32) | 1.87 | **1.77** | 0.95 |
    | multilabel_cnn (32) | 1.58 | 1.57 | 0.99 |
    | ecrnn_cnn (128) | **11.6** | 12.8 | 1.10 |
    | cifar10_cnn (64) | **4.4** | 5.8 | 1.32 |
    | text_linear (32) | **0.37** | 0.52 | 1.42 |
    | fashion_mnist_cnn (32) | **0.28** | 0.42 | 1.49 |
    """
    if _is_deep(model):
        return _as_many_as_divide(batch_size, FEWEST_ROWS_OF_MANY)
    return _as_many_as_divide(batch_size, FEWEST_ROWS) if _is_recurrent(model) else _first(1)


def _is_recurrent(model: nnx.Module) -> bool:
    return any(isinstance(part, SimpleRNN | LSTM | GRU) for _, part in nnx.iter_modules(model))


def _share_of_convolutions(model: nnx.Module) -> float:
    convolved = [part for _, part in nnx.iter_modules(model) if isinstance(part, Conv2D)]
    return sum(map(_numbers, convolved)) / max(_numbers(model), 1)


def _numbers(model: nnx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def _is_deep(model: nnx.Module) -> bool:
    convolutions = sum(isinstance(part, Conv2D) for _, part in nnx.iter_modules(model))
    return convolutions >= MANY_CONVOLUTIONS


def _as_many_as_divide(batch_size: int, fewest_rows: int) -> BatchDevices:
    """As many devices as divide a batch, with so many rows each at least, or one."""
    most = min(len(jax.local_devices()), batch_size // fewest_rows)
    return _first(largest_divisor(batch_size, most))


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is at most `most`; 1 where that is less."""
    return max((n for n in range(1, most + 1) if number % n == 0), default=1)


def _first(count: int) -> BatchDevices:
    return BatchDevices(Mesh(np.array(jax.local_devices()[:count]), (BATCH_AXIS,)))
