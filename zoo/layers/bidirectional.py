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
        backward_layer: a layer with weights of its own, run the other way round.
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
        returned = [
            {n: getattr(layer, n) for n in ("return_sequences", "return_state")}
            for layer in (forward_layer, backward_layer)
        ]
        if returned[0] != returned[1]:
            raise ZooError(
                "forward_layer and backward_layer must have the same return_sequences and "
                f"return_state, got {returned[0]} and {returned[1]}."
            )
        if forward_layer.go_backwards:
            raise ZooError(
                "the layers of Bidirectional must not have go_backwards: the second one is run "
                "backwards by the wrapper."
            )
        F.merge_directions(jnp.zeros(1), jnp.zeros(1), merge_mode)
        self.forward_layer, self.backward_layer = forward_layer, backward_layer
        self.merge_mode = merge_mode

    def __call__(
        self, x: jax.Array, *, mask: jax.Array | None = None, initial_state: Any = None
    ) -> Any:
        """Runs over `x [B, T, in]`.

        Args:
            x: the sequence.
            mask: boolean `[B, T]`, True = keep.
            initial_state: one for each layer, as their functions take it; None means zeros.

        Returns:
            The merged outputs `[B, T, …]` with `return_sequences`, else the merged last ones
            `[B, …]`; a pair where `merge_mode` is None. With `return_state` a tuple: that (or
            both of that), then the last states of the forward and of the backward layer.
        """
        sequences = self.forward_layer.return_sequences
        (forward, backward), states = F.bidirectional(
            self.forward_layer.function,
            self.forward_layer.params,
            self.backward_layer.params,
            x,
            backward_layer=self.backward_layer.function,
            merge=None,
            mask=mask,
            states=initial_state or (None, None),
            zero_output_for_mask=sequences,
        )
        if not sequences and mask is not None and initial_state is not None:
            # A row without a kept step has given no output (zeros), but it has a state.
            forward, backward = forward[:, -1], backward[:, 0]
        elif not sequences:
            forward, backward = map(last_output, states)
        result = F.merge_directions(forward, backward, self.merge_mode)
        if not self.forward_layer.return_state:
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        return (*outputs, *jax.tree.leaves(states))
