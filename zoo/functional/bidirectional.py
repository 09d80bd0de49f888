"""A recurrent layer run in both directions."""

from collections.abc import Callable
from typing import Any, overload

import jax.numpy as jnp

from zoo.errors import ZooError, unknown_name
from zoo.functional._arrays import Array
from zoo.functional.recurrence import RecurrentParams

_MERGES: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda forward, backward: jnp.concatenate((forward, backward), axis=-1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
}


@overload
def merge_directions(forward: Array, backward: Array, merge: str) -> Array: ...
@overload
def merge_directions(
    forward: Array, backward: Array, merge: str | None
) -> Array | tuple[Array, Array]: ...
def merge_directions(
    forward: Array, backward: Array, merge: str | None
) -> Array | tuple[Array, Array]:
    """Two arrays `[..., H]` as one: "concat" `[..., 2H]`, "sum", "mul", "ave", or None (a pair).

    Raises:
        ZooError: an unknown merge, or shapes that cannot be merged so.
    """
    if merge is None:
        return forward, backward
    if merge not in _MERGES:
        raise unknown_name("merge", str(merge), _MERGES)
    if merge != "concat" and forward.shape != backward.shape:
        raise ZooError(
            f"forward and backward must have one shape for merge={merge!r}, got {forward.shape} "
            f"and {backward.shape}."
        )
    return _MERGES[merge](forward, backward)


def bidirectional(
    layer: Callable[..., tuple[Array, Any]],
    forward_params: RecurrentParams,
    backward_params: RecurrentParams,
    x: Array,
    *,
    backward_layer: Callable[..., tuple[Array, Any]] | None = None,
    merge: str | None = "concat",
    mask: Array | None = None,
    states: tuple[Any, Any] = (None, None),
    zero_output_for_mask: bool = False,
    **options: Any,
) -> tuple[Array | tuple[Array, Array], tuple[Any, Any]]:
    """`layer` over `x` forwards with one set of weights and backwards with another.

    `outputs[:, t] = merge(forward after steps 0…t, backward after steps T−1…t)`. With right
    padding and a mask, the backward direction starts at the last kept step.

    Args:
        layer: `simple_rnn`, `lstm` or `gru`.
        forward_params: weights of the direction from the first step to the last.
        backward_params: weights of the other direction.
        x: `[B, T, in]`.
        backward_layer: what runs in the other direction; None means `layer`.
        merge: "concat" `[B, T, 2H]`, "sum", "mul", "ave" `[B, T, H]`, or None for a pair.
        mask: boolean `[B, T]`, True = keep.
        states: what each direction starts from; None means zeros.
        zero_output_for_mask: outputs of masked steps are zeros instead of the previous output;
            Keras does so inside its `Bidirectional`.
        options: passed on to the layers.

    Returns:
        `(outputs, (forward_state, backward_state))`, the states after the last step of each
        direction.

    Raises:
        ZooError: an unknown merge, or what `layer` raises.

    Source: Schuster and Paliwal, 1997, https://doi.org/10.1109/78.650093; merges of Keras.
    """
    backward_layer = backward_layer or layer
    forward, forward_state = layer(forward_params, x, states[0], mask=mask, **options)
    backward, backward_state = backward_layer(
        backward_params, x, states[1], mask=mask, reverse=True, **options
    )
    if mask is not None and zero_output_for_mask:
        forward, backward = (
            jnp.where(mask[..., None], outputs, jnp.zeros_like(outputs))
            for outputs in (forward, backward)
        )
    return merge_directions(forward, backward, merge), (forward_state, backward_state)
