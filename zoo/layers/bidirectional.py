"""A wrapper that runs a recurrent layer in both directions."""

from typing import Any

import jax
import jax.numpy as jnp

from zoo import functional as F
from zoo.errors import ZooError
from zoo.layers.layer import Layer
from zoo.layers.recurrent import Recurrent, last_output


class Bidirectional(Layer):
    """Two recurrent layers, one in each direction; see `zoo.functional.bidirectional`.

    As in Keras, outputs of masked steps are zeros when sequences are returned.

    Args:
        forward_layer: runs from the first step to the last.
        backward_layer: a like layer with weights of its own, run the other way round.
        merge_mode: "concat", "sum", "mul", "ave" or None (a pair).
    """

    def __init__(
        self,
        forward_layer: Recurrent,
        backward_layer: Recurrent,
        *,
        merge_mode: str | None = "concat",
    ):
        if backward_layer is forward_layer:
            raise ZooError("backward_layer must have weights of its own, got forward_layer itself.")
        if _likeness(forward_layer) != _likeness(backward_layer):
            raise ZooError(
                "forward_layer and backward_layer must be of the same class, width and options, "
                f"got {_likeness(forward_layer)} and {_likeness(backward_layer)}."
            )
        if forward_layer.go_backwards:
            raise ZooError(
                "the layers of Bidirectional must not have go_backwards: the second one is run "
                "backwards by the wrapper."
            )
        F.merge_directions(jnp.zeros(1), jnp.zeros(1), merge_mode)
        self.forward_layer, self.backward_layer = forward_layer, backward_layer
        self.merge_mode = merge_mode

    def __call__(self, x: jax.Array, *, mask: jax.Array | None = None) -> Any:
        """Runs over `x [B, T, in]`.

        Args:
            x: the sequence.
            mask: boolean `[B, T]`, True = keep.

        Returns:
            The merged outputs `[B, T, …]` with `return_sequences`, else the merged last ones
            `[B, …]`; a pair where `merge_mode` is None. With `return_state` a tuple: that (or
            both of that), then the last states of the forward and of the backward layer.
        """
        result, states = F.bidirectional(
            self.forward_layer.function,
            self.forward_layer.params,
            self.backward_layer.params,
            x,
            merge=self.merge_mode,
            mask=mask,
            zero_output_for_mask=True,
        )
        if not self.forward_layer.return_sequences:
            forward, backward = map(last_output, states)
            result = F.merge_directions(forward, backward, self.merge_mode)
        if not self.forward_layer.return_state:
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        return (*outputs, *jax.tree.leaves(states))


def _likeness(layer: Recurrent) -> str:
    """Class and options of a layer, in words."""
    options = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, int | str) and not name.startswith("_")
    }
    return f"{type(layer).__name__}({', '.join(f'{k}={v!r}' for k, v in sorted(options.items()))})"
