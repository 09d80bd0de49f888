"""The recurrent layer of the CNN-RNN for several labels."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flax import nnx

from zoo import functional as F
from zoo.layers.recurrent import Recurrent


class WangLSTM(Recurrent):
    """A long short-term memory read and fed back by its cell; see `zoo.functional.wang_lstm`.

    Args:
        in_features: width of the input.
        units: width of the state.
        activation: of the candidate.
        recurrent_activation: of the gates.
        return_sequences: every output instead of the last.
        rngs: the stream `params` draws the weights; the forget gate's bias starts at 1.
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        activation: str = "relu",
        recurrent_activation: str = "sigmoid",
        return_sequences: bool = False,
        rngs: nnx.Rngs,
    ):
        F.activation(activation)
        F.activation(recurrent_activation)
        self.activation, self.recurrent_activation = activation, recurrent_activation
        super().__init__(
            in_features,
            units,
            gates=4,
            bias_shape=(4 * units,),
            return_sequences=return_sequences,
            return_state=False,
            go_backwards=False,
            zero_output_for_mask=False,
            rngs=rngs,
        )
        assert self.bias is not None
        self.bias[...] = self.bias[...].at[units : 2 * units].set(1.0)

    @property
    def function(self) -> Callable[..., tuple[Any, Any]]:
        """`zoo.functional.wang_lstm` with this layer's activations."""
        return partial(
            F.wang_lstm,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
        )
