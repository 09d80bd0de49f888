"""Equinox: modules of one example under `jax.vmap`, cells under `jax.lax.scan`, as it advises."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.material import Material
from benchmarks.network import Layer, UnsupportedError
from benchmarks.peers._jax import JaxParticipant

ACTIVATIONS: Mapping[str | None, Any] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
}
KEY = jax.random.key(0)


class _Recurrent(eqx.Module):
    """A cell under a scan, or two."""

    cells: list[Any]
    lstm: bool = eqx.field(static=True)
    sequences: bool = eqx.field(static=True)

    def __init__(self, layer: Layer, material: Material):
        both = layer.kind == "Bidirectional"
        if layer.mask is not None:
            raise UnsupportedError("Equinox has cells, and no layer that takes a mask.")
        if both and layer.options["merge_mode"] != "concat":
            raise UnsupportedError("this adapter concatenates both directions.")
        ways = [layer.inner(d) for d in ("forward", "backward")] if both else [layer]
        self.cells = [_cell(way, material) for way in ways]
        self.lstm = ways[0].kind == "LSTM"
        self.sequences = ways[0].options["return_sequences"]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        results: list[Any] = []
        for cell, reverse in zip(self.cells, (False, True), strict=False):
            zeros = jnp.zeros(cell.hidden_size)

            def step(state: Any, x_t: jax.Array, cell: Any = cell) -> Any:
                state = cell(x_t, state)
                if not self.sequences:
                    return state, None
                return state, state[0] if self.lstm else state

            start = (zeros, zeros) if self.lstm else zeros
            state, outputs = jax.lax.scan(step, start, x, reverse=reverse)
            results.append(outputs if self.sequences else state[0] if self.lstm else state)
        return jnp.concatenate(results, -1)


def _cell(layer: Layer, material: Material) -> Any:
    options, name, kind = layer.options, layer.name, layer.kind
    if kind not in ("LSTM", "GRU"):
        raise UnsupportedError(f"Equinox has no {kind}.")
    activations = (options["activation"], options["recurrent_activation"])
    if activations != ("tanh", "sigmoid") or options["go_backwards"] or options["return_state"]:
        raise UnsupportedError(f"Equinox has no {kind} with {activations[0]}.")
    units, use_bias = options["units"], options["use_bias"]
    make: Any = eqx.nn.LSTMCell if kind == "LSTM" else eqx.nn.GRUCell
    cell = make(layer.in_features, units, use_bias=use_bias, key=KEY)
    order = np.arange(4 * units)
    if kind == "GRU":
        if not options["reset_after"]:
            raise UnsupportedError("Equinox's GRU resets after the product.")
        order = np.r_[units : 2 * units, :units, 2 * units : 3 * units]  # z, r, h to r, z, n
    weights = {
        "weight_ih": material.weight(name, "kernel").T[order],
        "weight_hh": material.weight(name, "recurrent_kernel").T[order],
    }
    if use_bias:
        bias = material.weight(name, "bias")
        if kind == "GRU":
            candidate = bias[1, 2 * units :]
            bias = bias[0] + np.r_[bias[1, : 2 * units], np.zeros(units, bias.dtype)]
            weights["bias_n"] = candidate
        weights["bias"] = bias[order]
    return _filled(cell, weights)


def _filled(module: Any, weights: Mapping[str, np.ndarray]) -> Any:
    return eqx.tree_at(
        lambda module: [getattr(module, name) for name in weights],
        module,
        [jnp.asarray(np.ascontiguousarray(weight)) for weight in weights.values()],
    )


class _Conv(eqx.Module):
    conv: eqx.nn.Conv2d
    activation: str | None = eqx.field(static=True)

    def __init__(self, layer: Layer, material: Material):
        options = layer.options
        conv = eqx.nn.Conv2d(
            layer.in_features,
            options["filters"],
            tuple(options["kernel_size"]),
            stride=tuple(options["strides"]),
            padding=options["padding"].upper(),
            dilation=tuple(options["dilation_rate"]),
            groups=options["groups"],
            use_bias=options["use_bias"],
            key=KEY,
        )
        weights = {"weight": material.weight(layer.name, "kernel").transpose(3, 2, 0, 1)}
        if options["use_bias"]:
            weights["bias"] = material.weight(layer.name, "bias")[:, None, None]
        self.conv, self.activation = _filled(conv, weights), options["activation"]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return ACTIVATIONS[self.activation](self.conv(x.transpose(2, 0, 1)).transpose(1, 2, 0))


class _Dense(eqx.Module):
    linear: eqx.nn.Linear
    activation: str | None = eqx.field(static=True)

    def __init__(self, layer: Layer, material: Material):
        use_bias = layer.options["use_bias"]
        linear = eqx.nn.Linear(
            layer.in_features, layer.options["units"], use_bias=use_bias, key=KEY
        )
        weights = {"weight": material.weight(layer.name, "kernel").T}
        if use_bias:
            weights["bias"] = material.weight(layer.name, "bias")
        self.linear, self.activation = _filled(linear, weights), layer.options["activation"]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return ACTIVATIONS[self.activation](self.linear(x))


class _Embedding(eqx.Module):
    embedding: eqx.nn.Embedding

    def __init__(self, layer: Layer, material: Material):
        self.embedding = eqx.nn.Embedding(
            weight=jnp.asarray(material.weight(layer.name, "embeddings"))
        )

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return jax.vmap(self.embedding)(x)


class _Dropout(eqx.Module):
    dropout: eqx.nn.Dropout

    def __init__(self, layer: Layer, _: Material):
        self.dropout = eqx.nn.Dropout(layer.options["rate"])

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        return self.dropout(x, key=key, inference=key is None)


class _Pool(eqx.Module):
    pool: Any

    def __init__(self, layer: Layer, _: Material):
        options = layer.options
        kinds: Mapping[str, Any] = {
            "MaxPooling2D": eqx.nn.MaxPool2d,
            "AveragePooling2D": eqx.nn.AvgPool2d,
        }
        if options["padding"] != "valid":
            raise UnsupportedError('this adapter pools without padding ("valid").')
        window = tuple(options["pool_size"])
        self.pool = kinds[layer.kind](window, tuple(options["strides"] or window))

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return self.pool(x.transpose(2, 0, 1)).transpose(1, 2, 0)


class _Function(eqx.Module):
    """A layer without weights, of one example."""

    function: Any = eqx.field(static=True)

    def __init__(self, layer: Layer, _: Material):
        options = layer.options
        functions: Mapping[str, Any] = {
            "Activation": lambda x: ACTIVATIONS[options["activation"]](x),
            "ReLU": jax.nn.relu,
            "Flatten": jnp.ravel,
            "Rescaling": lambda x: (
                x * jnp.asarray(options["scale"]) + jnp.asarray(options["offset"])
            ),
            "Reshape": lambda x: x.reshape(options["target_shape"]),
            "GlobalAveragePooling2D": lambda x: x.mean((0, 1)),
            "GlobalMaxPooling2D": lambda x: x.max((0, 1)),
            "NotEqual": lambda x: x != options["constants"][0],
            "Any": lambda x: x.any(-1),
            "Masking": lambda x: x * (x != options["mask_value"]).any(-1, keepdims=True),
        }
        if layer.kind not in functions:
            raise UnsupportedError(f"this adapter has no {layer.kind}.")
        self.function = functions[layer.kind]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return self.function(x)


LAYERS: Mapping[str, Any] = {
    "AveragePooling2D": _Pool,
    "Bidirectional": _Recurrent,
    "Conv2D": _Conv,
    "Dense": _Dense,
    "Dropout": _Dropout,
    "Embedding": _Embedding,
    "GRU": _Recurrent,
    "LSTM": _Recurrent,
    "MaxPooling2D": _Pool,
    "SimpleRNN": _Recurrent,
}


class Adapter(JaxParticipant):
    """See `benchmarks.peers.Participant`: `eqx.partition` once, `eqx.combine` in the step."""

    packages = ("equinox", "optax")

    def build(self) -> None:
        """See `JaxParticipant`."""
        self.network, self.rest = self.material.shared_network(), ()
        modules = [
            LAYERS.get(layer.kind, _Function)(layer, self.material) for layer in self.network.layers
        ]
        self.params, self.static = eqx.partition(modules, eqx.is_inexact_array)

    def apply(
        self,
        params: Any,
        rest: Any,
        x: jax.Array,
        key: jax.Array | None,
    ) -> tuple[jax.Array, Any]:
        """See `JaxParticipant`."""
        modules = eqx.combine(params, self.static)
        names = {layer.name: i for i, layer in enumerate(self.network.layers)}

        def of_one(x: jax.Array, key: jax.Array | None) -> jax.Array:
            def call(layer: Layer, inputs: list[Any], _: Any) -> Any:
                i = names[layer.name]
                return modules[i](inputs[0], None if key is None else jax.random.fold_in(key, i))

            return self.network.run(call, x)

        if key is None:
            return jax.vmap(lambda x: of_one(x, None))(x), rest
        return jax.vmap(of_one)(x, jax.random.split(key, len(x))), rest
