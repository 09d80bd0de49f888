"""Haiku: modules under `hk.transform_with_state`, cores under `hk.dynamic_unroll`."""

from collections.abc import Mapping
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.network import Layer, UnsupportedError
from benchmarks.peers._jax import JaxParticipant

ACTIVATIONS: Mapping[str | None, Any] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": jax.nn.softmax,
    "elu": jax.nn.elu,
}


class Adapter(JaxParticipant):
    """See `benchmarks.peers.Participant`. Parameters get their weights by module and name."""

    packages = ("dm-haiku", "optax")

    def build(self) -> None:
        """See `JaxParticipant`."""
        self.network = self.material.shared_network()
        for layer in self.network.layers:
            _check(layer)
        self.transformed = hk.transform_with_state(self._forward_of_network)
        x = self.batches[0][0]
        params, state = self.transformed.init(jax.random.key(0), x, True)
        self.weights: dict[str, dict[str, np.ndarray]] = {}
        self.statistics: dict[str, dict[str, np.ndarray]] = {}
        for layer in self.network.layers:
            self._weights_of(layer)
        self.params = _filled(params, self.weights)
        self.rest = _filled(state, self.statistics)

    def apply(
        self, params: Any, rest: Any, x: jax.Array, key: jax.Array | None
    ) -> tuple[jax.Array, Any]:
        """See `JaxParticipant`."""
        return self.transformed.apply(params, rest, key, x, key is not None)

    def _forward_of_network(self, x: jax.Array, training: bool) -> jax.Array:
        def call(layer: Layer, inputs: list[Any], _: Any) -> Any:
            return _call(layer, inputs, training)

        return self.network.run(call, x)

    def _weights_of(self, layer: Layer) -> None:
        """Notes a layer's weights by Haiku's names of module and parameter."""
        name, weight, kind = _name(layer), self.material.weight, layer.kind
        if kind == "Bidirectional":
            for direction in ("forward", "backward"):
                self._weights_of(layer.inner(direction))
        elif kind == "LSTM":
            joined = [weight(layer.name, w) for w in ("kernel", "recurrent_kernel")]
            i, f, g, o = np.split(np.concatenate(joined), 4, 1)
            bias = weight(layer.name, "bias")
            b_i, b_f, b_g, b_o = np.split(bias, 4)
            self.weights[f"{name}/linear"] = {
                "w": np.concatenate([i, g, f, o], 1),
                "b": np.concatenate([b_i, b_g, b_f - 1, b_o]),  # Haiku adds 1 to the forget gate
            }
        elif kind == "GRU":

            def new_is_ours(kernel: np.ndarray) -> np.ndarray:
                """Haiku's z is the share of the new state, ours that of the old: σ(−a)."""
                z, rest = np.split(kernel, [layer.options["units"]], -1)
                return np.concatenate([-z, rest], -1)

            self.weights[name] = {
                "w_i": new_is_ours(weight(layer.name, "kernel")),
                "w_h": new_is_ours(weight(layer.name, "recurrent_kernel")),
                "b": new_is_ours(weight(layer.name, "bias")),
            }
        elif kind == "SimpleRNN":
            self.weights[f"{name}/linear"] = {
                "w": weight(layer.name, "kernel"),
                "b": weight(layer.name, "bias"),
            }
            self.weights[f"{name}/linear_1"] = {"w": weight(layer.name, "recurrent_kernel")}
        elif kind in ("Dense", "Conv2D"):
            self.weights[name] = {"w": weight(layer.name, "kernel")}
            if layer.options["use_bias"]:
                self.weights[name]["b"] = weight(layer.name, "bias")
        elif kind == "Embedding":
            self.weights[name] = {"embeddings": weight(layer.name, "embeddings")}
        elif kind == "BatchNormalization":
            self._weights_of_norm(layer)

    def _weights_of_norm(self, layer: Layer) -> None:
        name, options = _name(layer), layer.options

        def wide(weight: str) -> np.ndarray:
            value = self.material.weight(layer.name, weight)
            return value.reshape((1,) * len(layer.shapes[0]) + (-1,))

        self.weights[name] = {
            theirs: wide(ours)
            for theirs, ours, used in (
                ("scale", "gamma", options["scale"]),
                ("offset", "beta", options["center"]),
            )
            if used
        }
        for theirs, ours in (("mean", "moving_mean"), ("var", "moving_variance")):
            value = wide(ours)
            # Haiku keeps a mean over time that it corrects for its start at zero; a counter that
            # is as if after many steps makes the correction one.
            self.statistics[f"{name}/~/{theirs}_ema"] = {"hidden": value, "average": value}


def _name(layer: Layer) -> str:
    return layer.name.replace(".", "_").lower()


def _check(layer: Layer) -> None:
    """Raises `UnsupportedError` for a layer that Haiku has not."""
    kind, options = layer.kind, layer.options
    if kind == "Bidirectional":
        if options["merge_mode"] != "concat":
            raise UnsupportedError("this adapter concatenates both directions.")
        for direction in ("forward", "backward"):
            _check(layer.inner(direction))
    if kind in ("LSTM", "GRU", "SimpleRNN"):
        if layer.mask is not None:
            raise UnsupportedError("Haiku's recurrent layers take no mask.")
        activation = options["activation"]
        if activation != ("relu" if kind == "SimpleRNN" else "tanh"):
            raise UnsupportedError(f"Haiku has no {kind} with {activation}.")
        if options.get("recurrent_activation", "sigmoid") != "sigmoid" or not options["use_bias"]:
            raise UnsupportedError(f"Haiku's {kind} has sigmoid gates and biases.")
        if options.get("reset_after"):
            raise UnsupportedError("Haiku's GRU resets before the product.")
        if options["go_backwards"] or options["return_state"]:
            raise UnsupportedError("this adapter runs forwards and returns outputs.")
    elif kind not in LAYERS and kind != "Bidirectional":
        raise UnsupportedError(f"this adapter has no {kind}.")


def _call(layer: Layer, inputs: list[Any], training: bool) -> Any:
    if layer.kind == "Bidirectional":
        ways = [
            _recurrent(layer.inner("forward"), inputs[0], reverse=False),
            _recurrent(layer.inner("backward"), inputs[0], reverse=True),
        ]
        return jnp.concatenate(ways, -1)
    if layer.kind in ("LSTM", "GRU", "SimpleRNN"):
        return _recurrent(layer, inputs[0], reverse=False)
    return LAYERS[layer.kind](layer, inputs, training)


def _recurrent(layer: Layer, x: jax.Array, *, reverse: bool) -> jax.Array:
    units, name = layer.options["units"], _name(layer)
    cores: Mapping[str, Any] = {
        "LSTM": hk.LSTM,
        "GRU": hk.GRU,
        "SimpleRNN": lambda units, name: hk.VanillaRNN(units, double_bias=False, name=name),
    }
    core = cores[layer.kind](units, name=name)
    sequences = layer.options["return_sequences"]
    outputs, state = hk.dynamic_unroll(
        core, x.swapaxes(0, 1), core.initial_state(len(x)), reverse=reverse
    )
    if sequences:
        return outputs.swapaxes(0, 1)
    return state.hidden if layer.kind == "LSTM" else state


def _dense(layer: Layer, inputs: list[Any], _: bool) -> jax.Array:
    options = layer.options
    linear = hk.Linear(options["units"], with_bias=options["use_bias"], name=_name(layer))
    return ACTIVATIONS[options["activation"]](linear(inputs[0]))


def _conv(layer: Layer, inputs: list[Any], _: bool) -> jax.Array:
    options = layer.options
    conv = hk.Conv2D(
        options["filters"],
        tuple(options["kernel_size"]),
        stride=tuple(options["strides"]),
        rate=tuple(options["dilation_rate"]),
        padding=options["padding"].upper(),
        feature_group_count=options["groups"],
        with_bias=options["use_bias"],
        name=_name(layer),
    )
    return ACTIVATIONS[options["activation"]](conv(inputs[0]))


def _pool(layer: Layer, inputs: list[Any], _: bool) -> jax.Array:
    options = layer.options
    pool = hk.max_pool if layer.kind == "MaxPooling2D" else hk.avg_pool
    window = tuple(options["pool_size"])
    strides = tuple(options["strides"] or window)
    return pool(inputs[0], (*window, 1), (*strides, 1), options["padding"].upper())


def _norm(layer: Layer, inputs: list[Any], training: bool) -> jax.Array:
    options = layer.options
    norm = hk.BatchNorm(
        options["scale"],
        options["center"],
        options["momentum"],
        options["epsilon"],
        name=_name(layer),
    )
    return norm(inputs[0], is_training=training)


def _embedding(layer: Layer, inputs: list[Any], _: bool) -> jax.Array:
    options = layer.options
    return hk.Embed(options["input_dim"], options["output_dim"], name=_name(layer))(inputs[0])


def _dropout(layer: Layer, inputs: list[Any], training: bool) -> jax.Array:
    if not training:
        return inputs[0]
    return hk.dropout(hk.next_rng_key(), layer.options["rate"], inputs[0])


LAYERS: Mapping[str, Any] = {
    "Activation": lambda layer, xs, _: ACTIVATIONS[layer.options["activation"]](xs[0]),
    "AveragePooling2D": _pool,
    "BatchNormalization": _norm,
    "Concatenate": lambda layer, xs, _: jnp.concatenate(xs, layer.options["axis"]),
    "Conv2D": _conv,
    "Dense": _dense,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "Flatten": lambda _, xs, __: xs[0].reshape(len(xs[0]), -1),
    "GlobalAveragePooling2D": lambda _, xs, __: xs[0].mean((1, 2)),
    "GlobalMaxPooling2D": lambda _, xs, __: xs[0].max((1, 2)),
    "MaxPooling2D": _pool,
    "Any": lambda _, xs, __: xs[0].any(-1),
    "Masking": lambda layer, xs, _: (
        xs[0] * (xs[0] != layer.options["mask_value"]).any(-1, keepdims=True)
    ),
    "NotEqual": lambda layer, xs, _: xs[0] != layer.options["constants"][0],
    "ReLU": lambda _, xs, __: jax.nn.relu(xs[0]),
    "Rescaling": lambda layer, xs, _: (
        xs[0] * jnp.asarray(layer.options["scale"]) + jnp.asarray(layer.options["offset"])
    ),
    "Reshape": lambda layer, xs, _: xs[0].reshape(len(xs[0]), *layer.options["target_shape"]),
}


def _filled(template: Any, weights: Mapping[str, Mapping[str, np.ndarray]]) -> Any:
    """The tree that Haiku made, with our weights in it; each weight must have its place."""
    left = {(module, name) for module, named in weights.items() for name in named}
    filled: dict[str, dict[str, Any]] = {}
    for module, named in template.items():
        filled[module] = {}
        for name, value in named.items():
            given = weights.get(module, {}).get(name)
            if given is None:
                # Beside the statistics there is a counter of steps.
                filled[module][name] = jnp.full_like(value, 10**6) if name == "counter" else value
                continue
            left.discard((module, name))
            assert given.shape == value.shape, (module, name, given.shape, value.shape)
            filled[module][name] = jnp.asarray(given)
    assert not left, left
    return filled
