"""SimpleRNN, LSTM and GRU."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.errors import check_positive
from zoo.layers.core import glorot_uniform, zeros
from zoo.layers.layer import Layer

orthogonal = jax.nn.initializers.orthogonal(dtype=jnp.float32)


class Recurrent(Layer):
    """What the three recurrent layers share; use `SimpleRNN`, `LSTM` or `GRU`.

    The kernel is Glorot uniform, the recurrent kernel orthogonal, the bias zero, as in Keras.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        gates: int,
        bias_shape: tuple[int, ...] | None,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        zero_output_for_mask: bool,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, units=units)
        self.units, self.use_bias = units, bias_shape is not None
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.zero_output_for_mask = go_backwards, zero_output_for_mask
        self.kernel = nnx.Param(glorot_uniform(rngs.params(), (in_features, gates * units)))
        self.recurrent_kernel = nnx.Param(orthogonal(rngs.params(), (units, gates * units)))
        self.bias = None if bias_shape is None else nnx.Param(zeros(rngs.params(), bias_shape))

    @property
    def params(self) -> F.RecurrentParams:
        """The weights as the function takes them."""
        return F.RecurrentParams(
            self.kernel[...],
            self.recurrent_kernel[...],
            None if self.bias is None else self.bias[...],
        )

    @property
    def function(self) -> Callable[..., tuple[jax.Array, Any]]:
        """The layer's function of `(params, x, state, *, mask, reverse)`, its options filled in."""
        raise TypeError("Recurrent is the base of SimpleRNN, LSTM and GRU: use one of them.")

    def __call__(
        self, x: jax.Array, *, mask: jax.Array | None = None, initial_state: Any = None
    ) -> Any:
        """Runs over `x [B, T, in_features]`.

        Args:
            x: the sequence.
            mask: boolean `[B, T]`, True = keep.
            initial_state: as the layer's function takes it; None means zeros.

        Returns:
            `[B, T, units]` with `return_sequences` (in the order of processing, so reversed
            with `go_backwards`, as in Keras), else the last output `[B, units]`. With
            `return_state` a tuple: that, then the last state (`h`, for LSTM `h` and `c`).
        """
        outputs, state = self.function(
            self.params, x, initial_state, mask=mask, reverse=self.go_backwards
        )
        if mask is not None and self.zero_output_for_mask:
            outputs = F.zero_masked(outputs, mask)
        if self.return_sequences:
            result = jnp.flip(outputs, axis=1) if self.go_backwards else outputs
        elif mask is not None and (initial_state is not None or self.zero_output_for_mask):
            # A row without a kept step has given no output (zeros), but it has a state.
            result = outputs[:, 0 if self.go_backwards else -1]
        else:
            result = last_output(state)
        return (result, *jax.tree.leaves(state)) if self.return_state else result


def last_output(state: jax.Array | F.LSTMState) -> jax.Array:
    """The output `[B, H]` that a recurrent state holds."""
    return state.h if isinstance(state, F.LSTMState) else state


class SimpleRNN(Recurrent):
    """The Elman layer; see `zoo.functional.simple_rnn`.

    Args:
        in_features: width of the input.
        units: width of the state.
        activation: a name that `zoo.functional.activation` knows.
        use_bias: whether there is a bias.
        return_sequences: every output instead of the last.
        return_state: the last state as well.
        go_backwards: from the last step to the first.
        zero_output_for_mask: outputs of masked steps are zeros, not the previous output.
        rngs: the stream `params` draws the weights.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        activation: str = "tanh",
        use_bias: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        rngs: nnx.Rngs,
    ):
        F.activation(activation)
        self.activation = activation
        super().__init__(
            in_features,
            units,
            gates=1,
            bias_shape=(units,) if use_bias else None,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            rngs=rngs,
        )

    @property
    def function(self) -> Callable[..., tuple[jax.Array, Any]]:
        """`zoo.functional.simple_rnn` with this layer's activation."""
        return partial(F.simple_rnn, activation=self.activation)


class LSTM(Recurrent):
    """Long short-term memory; see `zoo.functional.lstm`.

    Args:
        in_features: width of the input.
        units: width of the state.
        activation: of the candidate and of the cell.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        unit_forget_bias: the forget gate's bias starts at 1 instead of 0.
        return_sequences: every output instead of the last.
        return_state: the last state as well.
        go_backwards: from the last step to the first.
        zero_output_for_mask: outputs of masked steps are zeros, not the previous output.
        rngs: the stream `params` draws the weights.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        rngs: nnx.Rngs,
    ):
        F.activation(activation)
        F.activation(recurrent_activation)
        self.activation, self.recurrent_activation = activation, recurrent_activation
        super().__init__(
            in_features,
            units,
            gates=4,
            bias_shape=(4 * units,) if use_bias else None,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            rngs=rngs,
        )
        if self.bias is not None and unit_forget_bias:
            self.bias[...] = self.bias[...].at[units : 2 * units].set(1.0)

    @property
    def function(self) -> Callable[..., tuple[jax.Array, Any]]:
        """`zoo.functional.lstm` with this layer's activations."""
        return partial(
            F.lstm, activation=self.activation, recurrent_activation=self.recurrent_activation
        )


class GRU(Recurrent):
    """Gated recurrent unit; see `zoo.functional.gru`.

    Args:
        in_features: width of the input.
        units: width of the state.
        activation: of the candidate.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        reset_after: whether the reset gate meets the state after its product.
        return_sequences: every output instead of the last.
        return_state: the last state as well.
        go_backwards: from the last step to the first.
        zero_output_for_mask: outputs of masked steps are zeros, not the previous output.
        rngs: the stream `params` draws the weights.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        use_bias: bool = True,
        reset_after: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        rngs: nnx.Rngs,
    ):
        F.activation(activation)
        F.activation(recurrent_activation)
        self.activation, self.recurrent_activation = activation, recurrent_activation
        self.reset_after = reset_after
        bias_shape = (2, 3 * units) if reset_after else (3 * units,)
        super().__init__(
            in_features,
            units,
            gates=3,
            bias_shape=bias_shape if use_bias else None,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            rngs=rngs,
        )

    @property
    def function(self) -> Callable[..., tuple[jax.Array, Any]]:
        """`zoo.functional.gru` with this layer's options."""
        return partial(
            F.gru,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            reset_after=self.reset_after,
        )
