"""Flax: `nnx.RNN` and its neighbours, in the functional style that Flax advises for speed."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks.material import Material
from benchmarks.network import Layer, UnsupportedError
from benchmarks.peers._jax import JaxParticipant

ACTIVATIONS: Mapping[str | None, Any] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "relu": nnx.relu,
    "tanh": nnx.tanh,
    "sigmoid": nnx.sigmoid,
    "softmax": nnx.softmax,
    "elu": nnx.elu,
}


class _Recurrent(nnx.Module):
    """`nnx.RNN`, or two of them in `nnx.Bidirectional`."""

    def __init__(self, layer: Layer, material: Material, rngs: nnx.Rngs):
        self.both = layer.kind == "Bidirectional"
        if self.both and layer.options["merge_mode"] != "concat":
            raise UnsupportedError("Flax's Bidirectional concatenates.")
        ways = [layer.inner(d) for d in ("forward", "backward")] if self.both else [layer]
        options = ways[0].options
        if options["go_backwards"] or options["return_state"]:
            raise UnsupportedError("this adapter runs forwards and returns outputs.")
        self.sequences = options["return_sequences"]
        self.lstm = ways[0].kind == "LSTM"
        rnns = [nnx.RNN(_cell(way, material, rngs)) for way in ways]
        self.rnn = nnx.Bidirectional(*rnns, rngs=rngs) if self.both else rnns[0]

    def __call__(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        lengths = None if mask is None else jnp.sum(mask, 1)
        carry, outputs = self.rnn(x, seq_lengths=lengths, return_carry=True)
        if self.sequences:
            return outputs
        carries: Any = carry if self.both else (carry,)
        return jnp.concatenate([c[1] if self.lstm else c for c in carries], -1)


def _cell(layer: Layer, material: Material, rngs: nnx.Rngs) -> Any:
    options, name, kind = layer.options, layer.name, layer.kind
    units, activation = options["units"], ACTIVATIONS[options["activation"]]
    kernel, recurrent = (material.weight(name, w) for w in ("kernel", "recurrent_kernel"))
    gates = recurrent.shape[1] // units
    bias = np.zeros(gates * units, np.float32)
    if options["use_bias"]:
        bias = material.weight(name, "bias")
    if kind == "SimpleRNN":
        cell: Any = nnx.SimpleCell(layer.in_features, units, activation_fn=activation, rngs=rngs)
        cell.dense_i.bias[...] = jnp.asarray(bias)
    elif kind == "LSTM":
        cell = nnx.OptimizedLSTMCell(
            layer.in_features,
            units,
            gate_fn=ACTIVATIONS[options["recurrent_activation"]],
            activation_fn=activation,
            rngs=rngs,
        )
        cell.dense_h.bias[...] = jnp.asarray(bias)
    else:
        if not options["reset_after"]:
            raise UnsupportedError("Flax's GRU resets after the product.")
        both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        if both[1, 2 * units :].any():
            raise UnsupportedError("Flax's GRU has no bias in its recurrent candidate.")
        cell = nnx.GRUCell(
            layer.in_features,
            units,
            gate_fn=ACTIVATIONS[options["recurrent_activation"]],
            activation_fn=activation,
            rngs=rngs,
        )
        order = np.r_[units : 2 * units, :units, 2 * units : 3 * units]  # z, r, h to r, z, n
        kernel, recurrent, bias = kernel[:, order], recurrent[:, order], both.sum(0)[order]
        cell.dense_i.bias[...] = jnp.asarray(bias)
    cell.dense_i.kernel[...] = jnp.asarray(kernel)
    cell.dense_h.kernel[...] = jnp.asarray(recurrent)
    return cell


class _Conv(nnx.Module):
    def __init__(self, layer: Layer, material: Material, rngs: nnx.Rngs):
        options = layer.options
        self.conv = nnx.Conv(
            layer.in_features,
            options["filters"],
            tuple(options["kernel_size"]),
            strides=tuple(options["strides"]),
            padding=options["padding"].upper(),
            kernel_dilation=tuple(options["dilation_rate"]),
            feature_group_count=options["groups"],
            use_bias=options["use_bias"],
            rngs=rngs,
        )
        _fill(self.conv, layer, material)
        self.activation = options["activation"]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return ACTIVATIONS[self.activation](self.conv(x))


class _Dense(nnx.Module):
    def __init__(self, layer: Layer, material: Material, rngs: nnx.Rngs):
        options = layer.options
        self.linear = nnx.Linear(
            layer.in_features, options["units"], use_bias=options["use_bias"], rngs=rngs
        )
        _fill(self.linear, layer, material)
        self.activation = options["activation"]

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return ACTIVATIONS[self.activation](self.linear(x))


def _fill(module: Any, layer: Layer, material: Material) -> None:
    module.kernel[...] = jnp.asarray(material.weight(layer.name, "kernel"))
    if layer.options["use_bias"]:
        module.bias[...] = jnp.asarray(material.weight(layer.name, "bias"))


class _Norm(nnx.Module):
    def __init__(self, layer: Layer, material: Material, rngs: nnx.Rngs):
        options = layer.options
        self.norm = nnx.BatchNorm(
            layer.in_features,
            momentum=options["momentum"],
            epsilon=options["epsilon"],
            use_bias=options["center"],
            use_scale=options["scale"],
            rngs=rngs,
        )
        names = {"mean": "moving_mean", "var": "moving_variance"}
        names |= {"scale": "gamma"} if options["scale"] else {}
        names |= {"bias": "beta"} if options["center"] else {}
        for theirs, ours in names.items():
            getattr(self.norm, theirs)[...] = jnp.asarray(material.weight(layer.name, ours))

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return self.norm(x)


class _Embedding(nnx.Module):
    def __init__(self, layer: Layer, material: Material, rngs: nnx.Rngs):
        table = material.weight(layer.name, "embeddings")
        self.embed = nnx.Embed(*table.shape, rngs=rngs)
        self.embed.embedding[...] = jnp.asarray(table)

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return self.embed(x)


class _Dropout(nnx.Module):
    def __init__(self, layer: Layer, _: Material, rngs: nnx.Rngs):
        self.dropout = nnx.Dropout(layer.options["rate"], rngs=rngs)

    def __call__(self, x: jax.Array, _: Any) -> jax.Array:
        return self.dropout(x)


class _Function(nnx.Module):
    """A layer without weights."""

    def __init__(self, layer: Layer, _: Material, rngs: nnx.Rngs):  # noqa: ARG002
        self.function = function_of(layer)

    def __call__(self, x: Any, _: Any) -> jax.Array:
        return self.function(*x) if isinstance(x, list) else self.function(x)


def function_of(layer: Layer) -> Any:
    """What a layer without weights computes."""
    options = layer.options
    if layer.kind in ("MaxPooling2D", "AveragePooling2D"):
        pool: Any = nnx.max_pool
        if layer.kind == "AveragePooling2D":
            pool = partial(nnx.avg_pool, count_include_pad=False)
        window = tuple(options["pool_size"])
        strides = tuple(options["strides"] or window)
        return lambda x: pool(
            x, window_shape=window, strides=strides, padding=options["padding"].upper()
        )
    functions: Mapping[str, Any] = {
        "Activation": lambda x: ACTIVATIONS[options["activation"]](x),
        "ReLU": nnx.relu,
        "Flatten": lambda x: x.reshape(len(x), -1),
        "Rescaling": lambda x: x * jnp.asarray(options["scale"]) + jnp.asarray(options["offset"]),
        "Reshape": lambda x: x.reshape(len(x), *options["target_shape"]),
        "GlobalAveragePooling2D": lambda x: x.mean((1, 2)),
        "GlobalMaxPooling2D": lambda x: x.max((1, 2)),
        "Concatenate": lambda *xs: jnp.concatenate(xs, options["axis"]),
        "NotEqual": lambda x: x != options["constants"][0],
        "Any": lambda x: x.any(-1),
        "Masking": lambda x: x * (x != options["mask_value"]).any(-1, keepdims=True),
    }
    if layer.kind not in functions:
        raise UnsupportedError(f"this adapter has no {layer.kind}.")
    return functions[layer.kind]


LAYERS: Mapping[str, Any] = {
    "BatchNormalization": _Norm,
    "Bidirectional": _Recurrent,
    "Conv2D": _Conv,
    "Dense": _Dense,
    "Dropout": _Dropout,
    "Embedding": _Embedding,
    "GRU": _Recurrent,
    "LSTM": _Recurrent,
    "SimpleRNN": _Recurrent,
}


class Adapter(JaxParticipant):
    """See `benchmarks.peers.Participant`: `nnx.split` once, `nnx.merge` in the compiled step."""

    packages = ("flax", "optax")

    def build(self) -> None:
        """See `JaxParticipant`."""
        self.network, rngs = self.material.shared_network(), nnx.Rngs(0)
        modules = nnx.List(
            LAYERS.get(layer.kind, _Function)(layer, self.material, rngs)
            for layer in self.network.layers
        )
        split: Any = nnx.split(modules, nnx.Param, ...)
        self.graphdef, self.params, self.rest = split

    def apply(
        self, params: Any, rest: Any, x: jax.Array, key: jax.Array | None
    ) -> tuple[jax.Array, Any]:
        """See `JaxParticipant`."""
        modules: Any = nnx.merge(self.graphdef, params, rest, copy=True)
        names = {layer.name: i for i, layer in enumerate(self.network.layers)}
        (modules.eval if key is None else modules.train)()

        def call(layer: Layer, inputs: list[Any], mask: Any) -> Any:
            return modules[names[layer.name]](inputs[0] if len(inputs) == 1 else inputs, mask)

        outputs = self.network.run(call, x)
        split: Any = nnx.split(modules, nnx.Param, ...)
        return outputs, split[2]
