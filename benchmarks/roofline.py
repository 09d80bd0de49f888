"""What a step has to do at least, and what the machine can do at most.

The floor of a step's time is the larger of its operations over the rate of a measured matrix
product and its bytes over the rate of a measured sweep through memory.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cases import SEED_COUNTS
from benchmarks.network import Layer, Network

FLOAT = 4


def measure_ceilings(device: str, seconds: float) -> Mapping[str, float]:
    """The best rates found: a float32 matrix product and a sweep `x ← a·x + b` over 256 MB.

    On a CPU both are done by JAX and by NumPy, and the better one counts.

    Returns:
        "flops" and "bytes", each a second.
    """
    import jax
    import jax.numpy as jnp

    place = jax.devices(device)[0]
    product = jax.jit(jnp.matmul)
    sweep = jax.jit(lambda x: 0.5 * x + 1.0, donate_argnums=0)
    flops, bytes_ = 0.0, 0.0
    for n in (1024, 2048, 4096) if device != "cpu" else (1024, 2048):
        a = jax.device_put(np.ones((n, n), np.float32), place)
        best = _best(partial(_product, product, a), seconds)
        flops = max(flops, 2 * n**3 / best)
    x = np.ones(64 * 2**20, np.float32)
    state = [jax.device_put(x, place)]

    def once() -> None:
        state[0] = sweep(state[0]).block_until_ready()

    bytes_ = 2 * x.nbytes / _best(once, seconds)
    if device == "cpu":
        a, out = np.ones((1024, 1024), np.float32), np.empty((1024, 1024), np.float32)
        flops = max(flops, 2 * 1024**3 / _best(lambda: np.matmul(a, a, out=out), seconds))
        best = _best(lambda: np.multiply(x, np.float32(0.5), out=x), seconds)
        bytes_ = max(bytes_, 2 * x.nbytes / best)
    return {"flops": flops, "bytes": bytes_}


def _product(product: Any, a: Any) -> None:
    product(a, a).block_until_ready()


def _best(run: Callable[[], Any], seconds: float) -> float:
    """The shortest time of a call within about `seconds`, three calls at least."""
    run()
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def work_of(network: Network, weights: int, batch: int, measure: str) -> dict[str, float]:
    """Operations and bytes that a step cannot do without, counted from the layers' shapes.

    Operations are those of products and convolutions: once forward, and twice more for the
    gradients of weights and inputs. Bytes are what goes in, and what each layer puts out, written
    and read once, for gradients twice more; weights are read, and in training read and written
    with both of Adam's means and the gradient. What fits a cache could cost less: this is what a
    step costs that keeps nothing.

    Args:
        network: the model.
        weights: how many numbers there are in all weights.
        batch: examples.
        measure: one of "train", "predict", "forward", "gradient"; or of `SEED_COUNTS`, a training
            step of each.
    """
    if measure in SEED_COUNTS:
        of_one = work_of(network, weights, batch, "train")
        return {name: SEED_COUNTS[measure] * amount for name, amount in of_one.items()}
    forward = float(batch * sum(map(_operations, network.layers)))
    through = float(batch * FLOAT * sum(_put_out(layer) for layer in network.layers))
    backward = measure in ("train", "gradient")
    per_weight = {"train": 8, "gradient": 2}.get(measure, 1)
    return {
        "flops": forward * (3 if backward else 1),
        "bytes": 2 * through * (2 if backward else 1) + FLOAT * weights * per_weight,
    }


def _put_out(layer: Layer) -> float:
    """Numbers that a layer writes for an example; layers that only rename shapes write none."""
    if layer.kind in ("Flatten", "Reshape", "Dropout", "Activation", "ReLU", "NotEqual", "Any"):
        return 0.0
    return float(np.prod(layer.shapes[-1])) if layer.shapes[-1] else 0.0


def _operations(layer: Layer) -> float:
    """Multiplications and additions of one example."""
    options, out = layer.options, layer.shapes[-1]
    if layer.kind == "Bidirectional":
        return _operations(layer.inner("forward")) + _operations(layer.inner("backward"))
    if layer.kind in ("SimpleRNN", "LSTM", "GRU"):
        gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[layer.kind]
        units, steps = options["units"], layer.shapes[0][0]
        return 2.0 * steps * gates * units * (layer.in_features + units)
    if layer.kind == "Dense":
        return 2.0 * layer.in_features * float(np.prod(out))
    if layer.kind == "Conv2D":
        window = float(np.prod(options["kernel_size"]))
        return 2.0 * window * layer.in_features / options["groups"] * float(np.prod(out))
    return 0.0


def floor_seconds(work: Mapping[str, float], ceilings: Mapping[str, float]) -> float:
    """The shortest time that the machine could need for some work."""
    return max(work["flops"] / ceilings["flops"], work["bytes"] / ceilings["bytes"])
