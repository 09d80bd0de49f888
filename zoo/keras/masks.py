"""One call of a layer with the masks of its inputs, as Keras does it.

Keras hands a mask on beside each array: some layers make one, some use it, some pass it on, and
all others lose it. What becomes of it differs here and there between Keras 2 and 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo import layers
from zoo.errors import ZooError

Mask = jax.Array | None
Version = tuple[int, int]
# Masks flow here as in this one, unless a file says that an older one wrote it.
NEWEST: Version = (3, 15)
KERAS3: Version = (3, 0)
# Keras 3 lost all masks in merges before this; since then a masked step of one input leaves the
# result to the others.
_MERGES_BY_MASK: Version = (3, 4)

_PASSING = (
    layers.Dense,
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.Dropout,
    layers.SpatialDropout,
    layers.GaussianNoise,
)
_PASSING_IN_KERAS3 = (layers.Rescaling, layers.Normalization)


def call_layer(
    layer: nnx.Module,
    arguments: Sequence[Any],
    masks: Sequence[Any],
    keywords: Mapping[str, Any],
    *,
    version: Version,
) -> tuple[Any, Any]:
    """Calls a layer.

    Args:
        layer: of `zoo.layers`.
        arguments: arrays, or one list of arrays.
        masks: the mask of each, likewise.
        keywords: `mask` instead of the one that flows; `initial_state`.
        version: the version of Keras whose rules hold.

    Returns:
        What the layer returns, and a mask or None for each array of that.

    Raises:
        ZooError: what the layer raises, or an argument that it does not have.
    """
    x, mask = arguments[0], masks[0]
    if keywords.get("mask") is not None:
        mask = keywords["mask"]
    state = keywords.get("initial_state")
    if isinstance(layer, layers.Recurrent | layers.Bidirectional):
        return _call_recurrent(layer, arguments, mask, state)
    if state is not None or len(arguments) > 1:
        raise ZooError("takes one input and no initial state here")
    if isinstance(layer, layers.Merge):
        return _call_merge(layer, x, mask, version)
    if isinstance(x, list):
        raise ZooError(f"takes one array, got {len(x)}")
    return _call_simple(layer, x, mask, version)


def _call_simple(layer: nnx.Module, x: Any, mask: Mask, version: Version) -> tuple[Any, Any]:
    match layer:
        case layers.Embedding():
            ids = x if jnp.issubdtype(x.dtype, jnp.integer) else x.astype(jnp.int32)
            return layer(ids), layer.compute_mask(x)
        case layers.Masking():
            return layer(x), layer.compute_mask(x)
        case layers.TimeDistributed():
            return _call_time_distributed(layer, x, mask, version)
        case layers.GlobalAveragePooling1D():
            return layer(x, mask=mask), None
        case layers.Softmax():
            return layer(x, mask=mask), mask
    y = layer(x)
    passes = isinstance(layer, _PASSING) or (
        version >= KERAS3 and isinstance(layer, _PASSING_IN_KERAS3)
    )
    return y, mask if passes else None


def _call_recurrent(
    layer: layers.Recurrent | layers.Bidirectional, arguments: Sequence[Any], mask: Any, state: Any
) -> tuple[Any, Any]:
    x = arguments[0]
    if isinstance(x, list):  # Keras 2 puts the state into the list of inputs
        x, state = x[0], state or x[1:]
        mask = mask[0] if isinstance(mask, list) else mask
    elif len(arguments) > 1 and state is None:
        state = arguments[1]
    if isinstance(layer, layers.Recurrent):
        one, outputs = layer, 1
        state = _state(layer, state)
    else:
        one, outputs = layer.forward_layer, 1 if layer.merge_mode is not None else 2
        if state is not None:
            parts = _parts(state)
            half = len(parts) // 2
            state = _state(one, parts[:half]), _state(layer.backward_layer, parts[half:])
    y = layer(x, mask=mask, initial_state=state)
    kept = mask if one.return_sequences else None
    return y, [kept] * outputs + [None] * (len(y) - outputs) if isinstance(y, tuple) else kept


def _parts(state: Any) -> list[Any]:
    return list(state) if isinstance(state, list | tuple) else [state]


def _state(layer: layers.Recurrent, state: Any) -> Any:
    """The arrays that Keras calls a layer's state, as our functions take it."""
    if state is None:
        return None
    parts = _parts(state)
    expected = 2 if isinstance(layer, layers.LSTM) else 1
    if len(parts) != expected:
        raise ZooError(f"initial_state must be {expected} arrays, got {len(parts)}")
    return F.LSTMState(*parts) if expected == 2 else parts[0]


def _call_time_distributed(
    layer: layers.TimeDistributed, x: Any, mask: Mask, version: Version
) -> tuple[Any, Any]:
    inner_mask = None
    if mask is not None and mask.ndim > 2:
        inner_mask = jnp.reshape(mask, (-1, *mask.shape[2:]))
    made: list[Any] = []

    def step(steps: Any) -> Any:
        y, step_mask = call_any(layer.layer, [steps], [inner_mask], {}, version=version)
        made.append(step_mask)
        return y

    y = F.time_distributed(step, x)
    if version >= KERAS3:
        return y, mask
    if made[0] is not None:  # Keras 2 asks the inner layer
        return y, jnp.reshape(made[0], (*x.shape[:2], *made[0].shape[1:]))
    if mask is not None and mask.ndim > 2:
        mask = jnp.any(mask, axis=tuple(range(2, mask.ndim)))
    return y, mask


def call_any(
    layer: nnx.Module,
    arguments: Sequence[Any],
    masks: Sequence[Any],
    keywords: Mapping[str, Any],
    *,
    version: Version,
) -> tuple[Any, Any]:
    """`call_layer` for what may be a whole model: anything that has `call_with_masks`."""
    run = getattr(layer, "call_with_masks", None)
    if run is None:
        return call_layer(layer, arguments, masks, keywords, version=version)
    given = keywords.get("mask")
    outputs, output_masks = run(arguments[0], masks[0] if given is None else given)
    return outputs, output_masks


def _call_merge(layer: layers.Merge, xs: Any, masks: Any, version: Version) -> tuple[Any, Any]:
    if not isinstance(xs, list):
        raise ZooError("takes a list of arrays, got one")
    masks = masks if isinstance(masks, list) else [masks] * len(xs)
    if (
        isinstance(layer, layers.Multiply | layers.Maximum | layers.Minimum)
        and version >= _MERGES_BY_MASK
    ):
        y = layer(xs, masks=masks)
    else:
        y = layer(xs)
    given = [mask for mask in masks if mask is not None]
    if not given or isinstance(layer, layers.Dot) or KERAS3 <= version < _MERGES_BY_MASK:
        return y, None
    if isinstance(layer, layers.Concatenate):
        return y, _mask_of_concatenation(layer, xs, masks, version)
    if version < KERAS3:
        return y, jnp.all(jnp.stack(given), axis=0)
    return y, jnp.any(jnp.stack(given), axis=0) if len(given) == len(xs) else None


def _mask_of_concatenation(
    layer: layers.Concatenate, xs: list[Any], masks: list[Mask], version: Version
) -> Mask:
    wide = [
        jnp.ones(x.shape, bool)
        if mask is None
        else jnp.broadcast_to(mask[..., None], x.shape)
        if mask.ndim < x.ndim
        else mask
        for x, mask in zip(xs, masks, strict=True)
    ]
    joined = F.concatenate(wide, layer.axis)
    every = version < KERAS3
    return jnp.all(joined, axis=-1) if every else jnp.any(joined, axis=-1)
