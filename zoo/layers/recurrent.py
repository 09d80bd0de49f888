"""SimpleRNN, LSTM and GRU, and a wrapper that runs one in both directions."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
from flax import nnx

from zoo import functional as F
from zoo.errors import ZooError, check_positive
from zoo.layers.core import glorot_uniform, zeros
from zoo.layers.layer import Layer

orthogonal = jax.nn.initializers.orthogonal()


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
        go_backwards: bool,
        rngs: nnx.Rngs,
    ):
        check_positive(in_features=in_features, units=units)
        self.units = units
        self.return_sequences, self.go_backwards = return_sequences, go_backwards
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

    @overload
    def __call__(
        self, x: jax.Array, *, mask: jax.Array | None = ..., initial_state: Any = ...
    ) -> jax.Array: ...
    @overload
    def __call__(
        self,
        x: jax.Array,
        *,
        mask: jax.Array | None = ...,
        initial_state: Any = ...,
        return_state: Literal[True],
    ) -> tuple[jax.Array, Any]: ...
    def __call__(
        self,
        x: jax.Array,
        *,
        mask: jax.Array | None = None,
        initial_state: Any = None,
        return_state: bool = False,
    ) -> jax.Array | tuple[jax.Array, Any]:
        """Runs over `x [B, T, in_features]`.

        Args:
            x: the sequence.
            mask: boolean `[B, T]`, True = keep.
            initial_state: as the layer's function takes it; None means zeros.
            return_state: whether the last state is returned too.

        Returns:
            `[B, T, units]` with `return_sequences` (in the order of processing, so reversed
            with `go_backwards`, as in Keras), else the last output `[B, units]`; with
            `return_state` a pair of that and the state as the layer's function gives it.
        """
        outputs, state = self.function(
            self.params, x, initial_state, mask=mask, reverse=self.go_backwards
        )
        output = self._output(outputs, state, mask, initial_state)
        return (output, state) if return_state else output

    def _output(
        self, outputs: jax.Array, state: Any, mask: jax.Array | None, initial_state: Any
    ) -> jax.Array:
        if self.return_sequences:
            return jnp.flip(outputs, axis=1) if self.go_backwards else outputs
        if mask is not None and initial_state is not None:
            # A row without a kept step has given no output (zeros), but it has a state.
            return outputs[:, 0 if self.go_backwards else -1]
        return last_output(state)


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
        go_backwards: from the last step to the first.
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
        go_backwards: bool = False,
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
            go_backwards=go_backwards,
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
        go_backwards: from the last step to the first.
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
        go_backwards: bool = False,
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
            go_backwards=go_backwards,
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
        go_backwards: from the last step to the first.
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
        go_backwards: bool = False,
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
            go_backwards=go_backwards,
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

    def __call__(
        self, x: jax.Array, *, mask: jax.Array | None = None
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        """`x [B, T, in]` to the merged outputs `[B, T, …]`, or the merged last ones `[B, …]`."""
        outputs, states = F.bidirectional(
            self.forward_layer.function,
            self.forward_layer.params,
            self.backward_layer.params,
            x,
            merge=self.merge_mode,
            mask=mask,
            zero_output_for_mask=True,
        )
        if self.forward_layer.return_sequences:
            return outputs
        return F.merge_directions(last_output(states[0]), last_output(states[1]), self.merge_mode)


def _likeness(layer: Recurrent) -> str:
    """Class and options of a layer, in words."""
    options = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, int | str) and not name.startswith("_")
    }
    return f"{type(layer).__name__}({', '.join(f'{k}={v!r}' for k, v in sorted(options.items()))})"
