"""An LSTM by cuDNN: on an NVIDIA GPU, one call for all steps of a sequence.

A loop of XLA's launches several kernels for each step, and on a GPU that takes longer than most
layers' arithmetic. cuDNN has the whole loop of `lstm_step` with tanh and sigmoid in float32, and
JAX hands it over as `jax.experimental.rnn.lstm`. What cuDNN does not have is done here:

- Its rows may end early but have no holes, so that kept steps are moved to the front of their row
  and the outputs back to where they belong. It fails on rows of no steps
  (https://github.com/jax-ml/jax/issues/17966): those get one, and keep their state.
- It cannot be vectorised, and its gradient has no derivative. Under `jax.vmap` and in a second
  derivative the layer is computed by other means, `otherwise`, its forward pass twice for a
  gradient: a program that is vectorised as a whole is better traced `without_cudnn`.

What is handed over is tested against JAX's own reference of cuDNN's LSTM, `rnn.lstm_ref`, which
runs anywhere. It has not been run on a GPU, and its gain has not been measured.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import rnn

from zoo.functional._arrays import Array
from zoo.functional.recurrence import RecurrentParams, zero_before_start

Results: TypeAlias = tuple[Array, tuple[Array, ...]]
"""The outputs `[B, T, H]`, and the last state."""

Otherwise: TypeAlias = Callable[[RecurrentParams, tuple[Array, ...], Array, Array | None], Results]
"""An LSTM of the first step to the last: `(params, (h, c), x, mask)` to its results."""

# What JAX's call knows of `jax_default_matmul_precision`; a product of bfloat16 it has not.
_PRECISIONS = (None, "high", "highest", "tensorfloat32", "float32")


_LEFT_OUT = ContextVar("cuDNN is left out", default=False)


@contextmanager
def without_cudnn() -> Iterator[None]:
    """What is traced in here has its LSTMs by other means on a GPU, too."""
    before = _LEFT_OUT.set(True)
    try:
        yield
    finally:
        _LEFT_OUT.reset(before)


def gpu_is_here() -> bool:
    """Whether JAX computes on a GPU; whose make it is, a program is asked when it is compiled."""
    return jax.default_backend() == "gpu"


def suits_cudnn(
    params: RecurrentParams,
    state: tuple[Array, ...],
    x: Array,
    activation: str,
    recurrent_activation: str,
) -> bool:
    """Whether a program for a GPU has this LSTM by cuDNN.

    It has where JAX has a GPU, the activations are cuDNN's, all is float32 and there is at least
    one step; but not inside a `jax.shard_map` that checks what varies over its devices, which
    JAX's call does not say, nor with bfloat16 as `jax_default_matmul_precision`. Nowhere at all
    does it where the variable `ZOO_CUDNN` is 0, nor `without_cudnn`.
    """
    return (
        gpu_is_here()
        and not _LEFT_OUT.get()
        and os.environ.get("ZOO_CUDNN") != "0"
        and (activation, recurrent_activation) == ("tanh", "sigmoid")
        and state[0].dtype == jnp.float32
        and x.shape[0] * x.shape[1] > 0
        and jax.config.jax_default_matmul_precision in _PRECISIONS  # type: ignore[attr-defined]
        and not any(
            jax.typeof(array).manual_axis_type.varying
            for array in jax.tree.leaves((params, state, x))
        )
    )


def cudnn_lstm(
    otherwise: Otherwise,
    reverse: bool,
    params: RecurrentParams,
    state: tuple[Array, ...],
    x: Array,
    mask: Array | None,
) -> Results:
    """An LSTM along axis 1 of `x [B, T, in]`, in a program for a GPU.

    Args:
        otherwise: what computes the same under `jax.vmap` and in second derivatives.
        reverse: from the last step to the first.
        params: as in `lstm_step`.
        state: `h` and `c` that it starts from, each `[B, H]`.
        x: the sequence.
        mask: boolean `[B, T]`, True = keep, or None.

    Returns:
        The outputs `[B, T, H]` in the order of the input, and the last state.
    """
    params, x = jax.tree.map(lambda a: lax.convert_element_type(a, state[0].dtype), (params, x))
    if reverse:
        mask = None if mask is None else jnp.flip(mask, 1)
        outputs, last = cudnn_lstm(otherwise, False, params, state, jnp.flip(x, 1), mask)
        return jnp.flip(outputs, 1), last
    if mask is None:
        return _run(otherwise, (params, state, x), None)[0]
    # What is masked may be anything; it must not meet a gradient of 0, for NaN · 0 is NaN.
    x = jnp.where(mask[..., None], x, jnp.zeros_like(x))
    kept_first = jnp.argsort(~mask, axis=1, stable=True)[..., None]
    lengths = jnp.sum(mask, axis=1, dtype=jnp.int32)
    (outputs, last), _ = _run(
        otherwise,
        (params, state, jnp.take_along_axis(x, kept_first, axis=1)),
        jnp.maximum(lengths, 1),
    )
    last = jax.tree.map(lambda new, old: jnp.where(lengths[:, None] > 0, new, old), last, state)
    kept_so_far = jnp.cumsum(mask, axis=1)[..., None]
    outputs = jnp.take_along_axis(outputs, jnp.maximum(kept_so_far - 1, 0), axis=1)
    return zero_before_start(outputs, mask, reverse=False), last


Arrays: TypeAlias = tuple[RecurrentParams, tuple[Array, ...], Array]
"""Weights, state and sequence: what there are gradients by."""


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(otherwise: Otherwise, arrays: Arrays, lengths: Array | None) -> tuple[Results, Array]:
    def without_cudnn(arrays: Arrays, lengths: Array | None) -> Any:
        reserved = jax.eval_shape(_forward, arrays, lengths)[1]
        return _of_lengths(otherwise, lengths, arrays), jnp.zeros_like(reserved)

    run = _unless_vectorised(_forward, without_cudnn)
    results: tuple[Results, Array] = run(arrays, lengths)
    return results


def _run_and_keep(otherwise: Otherwise, arrays: Arrays, lengths: Array | None) -> Any:
    # This pass is differentiated as well where a second derivative is asked for.
    results, reserved = _run(otherwise, arrays, lengths)
    return (results, reserved), (arrays, lengths, results[0], reserved)


def _derivative(
    otherwise: Otherwise, kept: Any, of_results: tuple[Results, Array]
) -> tuple[Arrays, None]:
    return _gradient(otherwise, *kept, of_results[0]), None


_run.defvjp(_run_and_keep, _derivative)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gradient(
    otherwise: Otherwise,
    arrays: Arrays,
    lengths: Array | None,
    outputs: Array,
    reserved: Array,
    of_results: Results,
) -> Arrays:
    def without_cudnn(arrays: Arrays, lengths: Any, _: Any, __: Any, of_results: Results) -> Arrays:
        return _pulled_back(otherwise, lengths, arrays, of_results)

    run = _unless_vectorised(_backward, without_cudnn)
    gradient: Arrays = run(arrays, lengths, outputs, reserved, of_results)
    return gradient


def _gradient_and_keep(otherwise: Otherwise, arrays: Arrays, lengths: Any, *others: Any) -> Any:
    return _gradient(otherwise, arrays, lengths, *others), (arrays, lengths, others[-1])


def _second_derivative(otherwise: Otherwise, kept: Any, of_gradient: Arrays) -> Any:
    arrays, lengths, of_results = kept
    _, pull = jax.vjp(partial(_pulled_back, otherwise, lengths), arrays, of_results)
    of_arrays, of_of_results = pull(of_gradient)
    # Outputs and what was reserved are functions of `arrays`, whose derivative has all of it.
    return of_arrays, None, None, None, of_of_results


_gradient.defvjp(_gradient_and_keep, _second_derivative)


def _of_lengths(otherwise: Otherwise, lengths: Array | None, arrays: Arrays) -> Results:
    params, state, x = arrays
    if lengths is None:
        return otherwise(params, state, x, None)
    steps = jnp.arange(x.shape[1], dtype=lengths.dtype)
    return otherwise(params, state, x, steps[None] < lengths[:, None])


def _pulled_back(
    otherwise: Otherwise, lengths: Array | None, arrays: Arrays, of_results: Results
) -> Arrays:
    _, pull = jax.vjp(partial(_of_lengths, otherwise, lengths), arrays)
    (of_arrays,) = pull(of_results)
    return of_arrays


def _unless_vectorised(run: Callable[..., Any], otherwise: Callable[..., Any]) -> Any:
    """`run`, and under `jax.vmap` `otherwise`, a function of the same arguments and results."""
    run = jax.custom_batching.custom_vmap(run)

    @run.def_vmap
    def vectorised(size: int, are_batched: list[Any], *args: Any) -> Any:
        axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, tuple(are_batched))
        results = jax.vmap(otherwise, in_axes=axes, axis_size=size)(*args)
        return results, jax.tree.map(lambda _: True, results)

    return run


def _forward(arrays: Arrays, lengths: Array | None) -> tuple[Results, Array]:
    """The forward pass, and what cuDNN wants back for the gradient."""
    params, (h, c), x = arrays
    (outputs, h, c), (*_, reserved) = rnn.lstm_fwd(
        x, h[None], c[None], _in_one_row(params), _filled(lengths, x), *_sizes(params)
    )
    return (outputs, (h[0], c[0])), reserved


def _backward(
    arrays: Arrays, lengths: Array | None, outputs: Array, reserved: Array, of_results: Results
) -> Arrays:
    """From gradients by outputs and last state to those by `arrays`."""
    params, (h, c), x = arrays
    weights, unpack = jax.vjp(_in_one_row, params)
    kept = (x, h[None], c[None], weights, _filled(lengths, x), outputs, reserved)
    of_outputs, (of_h, of_c) = of_results
    of_x, of_h, of_c, of_weights, _ = rnn.lstm_bwd(
        *_sizes(params), kept, (of_outputs, of_h[None], of_c[None])
    )
    return *unpack(of_weights), (of_h[0], of_c[0]), of_x


def _sizes(params: RecurrentParams) -> tuple[int, int, int, float, bool, None]:
    """Inputs, units, layers, dropout, both directions, and the precision that JAX is set to."""
    return params.kernel.shape[0], params.units, 1, 0.0, False, None


def _filled(lengths: Array | None, x: Array) -> Array:
    return jnp.full(x.shape[0], x.shape[1], jnp.int32) if lengths is None else lengths


def _in_one_row(params: RecurrentParams) -> Array:
    """The weights as cuDNN has them: outputs first, gates i, f, g, o as here, and two biases."""
    bias = jnp.zeros(4 * params.units, params.kernel.dtype) if params.bias is None else params.bias
    matrices = [jnp.ravel(matrix.T) for matrix in (params.kernel, params.recurrent_kernel)]
    return jnp.concatenate((*matrices, bias, jnp.zeros_like(bias)))
