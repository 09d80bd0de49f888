"""A GRU that is wide for its rows, with a derivative by hand.

The forward pass is the definition, `gru_step` with `reset_after` along time:

`X = x·W + b₀`, `P = h·U + b₁`, `z = σ(X_z + P_z)`, `r = σ(X_r + P_r)`, `a = P_h`,
`g = φ(X_h + r · a)`, `h' = z · h + (1 − z) · g`.

JAX's own derivative would add to the weights' gradient at each step. Here `h, z, r, a, g` are kept,
`5 · T · B · H` numbers, the backward pass goes from gradients by `h'` to those by X and P, and the
weights' gradients are single large products of all steps after it, which run on all cores. A
derivative of σ and φ is needed as a function of their values, so not all activations can be had.

Milliseconds of a gradient by weights and input, two cores of an AMD EPYC (in brackets one), vectors
of 512 bits, jax 0.10.2, float32:

| B, T, in, H | `scan_time` | `wide_gru` | by units, see `fused_recurrence` |
| --- | --- | --- | --- |
| 128, 28, 28, 128 | 16.6 (19.5) | **13.8 (17.2)** | 20.0 (24.7) |
| 32, 100, 128, 64 | 12.5 (12.6) | **8.2 (10.0)** | 19.5 (18.3) |
| 32, 28, 28, 128 | 6.2 (5.5) | **3.8 (4.3)** | 6.8 (7.8) |
| 32, 200, 16, 32 | 8.5 (7.0) | **6.1 (4.6)** | 7.0 (6.6) |
| 8, 1024, 1, 16 | 6.7 (6.9) | **5.0 (5.3)** | 8.5 (8.4) |
| 4, 64, 256, 128 | 7.8 (6.4) | **2.5 (2.8)** | 12.6 (13.3) |
| 128, 512, 1, 16 | 28.2 (29.8) | **22.8 (24.8)** | 31.0 (30.6) |
| 512, 64, 16, 16 | 15.8 (16.5) | 11.8 (13.6) | **9.8 (10.3)** |

The last two rows go by units: in the older table of `recurrence_ways`, of another machine, the
first of them was faster so.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.functional._arrays import (
    Array,
    along_last_axis,
    product_over_rows,
    rows_of_all_steps,
    side_by_side,
    varying_alike,
)
from zoo.functional.activations import DERIVATIVES_BY_VALUE, activation
from zoo.functional.recurrence import RecurrentParams, outputs_from, zero_before_start


class Options(NamedTuple):
    """The activations by name, and the order of the steps."""

    phi: str
    sigma: str
    reverse: bool


def wide_gru(
    params: RecurrentParams,
    state: Array,
    x: Array,
    *,
    mask: Array | None,
    options: Options,
) -> tuple[Array, Array]:
    """A GRU with `reset_after` along axis 1 of `x [B, T, in]`, `T ≥ 1`.

    Args:
        params: as in `gru_step`.
        state: what it starts from, `[B, H]`.
        x: the sequence.
        mask: boolean `[B, T]`, True = keep, or None.
        options: activations, both of `DERIVATIVES_BY_VALUE`, and the order of the steps.

    Returns:
        The outputs `[B, T, H]` in the order of the input, and the last state.
    """
    params, x = jax.tree.map(lambda a: lax.convert_element_type(a, state.dtype), (params, x))
    if mask is not None:
        # What is masked may be anything; it must not meet a gradient of 0, for NaN · 0 is NaN.
        x = jnp.where(mask[..., None], x, jnp.zeros_like(x))
    keep = None if mask is None else jnp.swapaxes(mask, 0, 1)[..., None]
    inputs = varying_alike((params, jnp.swapaxes(x, 0, 1), state, keep))
    outputs, last = _run(options, *inputs)
    outputs = jnp.swapaxes(outputs, 0, 1)
    return outputs if mask is None else zero_before_start(outputs, mask, options.reverse), last


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(
    options: Options, params: RecurrentParams, x: Array, start: Array, keep: Array | None
) -> tuple[Array, Array]:
    def step(h: Array, now: tuple[Array, Array | None]) -> tuple[Array, Array]:
        h, _ = _advance(options, params, h, *now)
        return h, h

    last, outputs = lax.scan(step, start, (x, keep), reverse=options.reverse)
    return outputs, last


def _run_and_keep(
    options: Options, params: RecurrentParams, x: Array, start: Array, keep: Array | None
) -> tuple[tuple[Array, Array], Any]:
    def step(h: Array, now: tuple[Array, Array | None]) -> tuple[Array, Any]:
        new, gates = _advance(options, params, h, *now)
        return new, (h, gates)

    last, (before, gates) = lax.scan(step, start, (x, keep), reverse=options.reverse)
    outputs = outputs_from(before, last, options.reverse)
    return (outputs, last), (params, x, keep, before, gates)


def _advance(
    options: Options, params: RecurrentParams, h: Array, x_t: Array, keep: Array | None
) -> tuple[Array, tuple[Array, ...]]:
    """The state after a step, and `(z, r, a, g)`."""
    sigma, phi = activation(options.sigma), activation(options.phi)
    of_x, of_h = x_t @ params.kernel, h @ params.recurrent_kernel
    if params.bias is not None:
        of_x += along_last_axis(params.bias[0], 2)
        of_h += along_last_axis(params.bias[1], 2)
    (x_z, x_r, x_h), (h_z, h_r, a) = (jnp.split(sums, 3, axis=1) for sums in (of_x, of_h))
    z, r = sigma(x_z + h_z), sigma(x_r + h_r)
    g = phi(x_h + r * a)
    new = z * h + (1 - z) * g
    return new if keep is None else jnp.where(keep, new, h), (z, r, a, g)


def _derivative(
    options: Options, kept: tuple[Any, ...], of_results: tuple[Array, Array]
) -> tuple[RecurrentParams, Array, Array, None]:
    """From gradients by `(outputs, last state)` to those by weights, input and first state."""
    params, x, keep, before, gates = kept
    of_outputs, of_last = of_results
    of_sigma, of_phi = DERIVATIVES_BY_VALUE[options.sigma], DERIVATIVES_BY_VALUE[options.phi]
    turned = params.recurrent_kernel.T
    zeros = jnp.zeros((of_last.shape[0], turned.shape[0]), of_last.dtype)

    def step(of_h: Array, now: Any) -> tuple[Array, tuple[Array, Array]]:
        keep_t, h, (z, r, a, g), of_output = now
        of_new = of_h + of_output
        passed = nothing = jnp.zeros_like(of_new)
        if keep_t is not None:
            passed, of_new = jnp.where(keep_t, nothing, of_new), jnp.where(keep_t, of_new, nothing)
        of_x_h = of_new * (1 - z) * of_phi(g)
        of_z, of_r = of_new * (h - g) * of_sigma(z), of_x_h * a * of_sigma(r)
        of_product = side_by_side((of_z, of_r, of_x_h * r), axis=1, over=zeros)
        return passed + of_new * z + of_product @ turned, (of_product, of_x_h)

    of_start, (of_products, of_x_h) = lax.scan(
        step, of_last, (keep, before, gates, of_outputs), reverse=not options.reverse
    )
    # By X they are those by P but for the last third.
    of_sums = lax.dynamic_update_slice_in_dim(of_products, of_x_h, 2 * params.units, 2)
    flat = rows_of_all_steps(of_sums)
    of_params = RecurrentParams(
        product_over_rows(rows_of_all_steps(x), flat),
        product_over_rows(rows_of_all_steps(before), rows_of_all_steps(of_products)),
        None
        if params.bias is None
        else jnp.stack((jnp.sum(of_sums, axis=(0, 1)), jnp.sum(of_products, axis=(0, 1)))),
    )
    return of_params, jnp.reshape(flat @ params.kernel.T, x.shape), of_start, None


_run.defvjp(_run_and_keep, _derivative)
