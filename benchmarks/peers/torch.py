"""PyTorch: modules, autograd and `torch.optim.Adam`, step by step, as its users run it.

Images stay channels last, which PyTorch calls a memory format: convolutions see a view.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.material import Material
from benchmarks.network import Layer, UnsupportedError

LEARNING_RATE, EPSILON = 1e-3, 1e-7

ACTIVATIONS: Mapping[str | None, Any] = {
    None: lambda x: x,
    "linear": lambda x: x,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, -1),
    "elu": functional.elu,
    "gelu": functional.gelu,
}
# Rows of the weights in PyTorch's order of gates, as blocks in ours.
GATES = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}


def _tensor(array: np.ndarray) -> nn.Parameter:
    copy = np.array(array, order="C")  # since training writes into it
    return nn.Parameter(torch.from_numpy(copy))


class _Recurrent(nn.Module):
    """`nn.RNN`, `nn.LSTM` or `nn.GRU`, in one direction or both."""

    def __init__(self, layer: Layer, material: Material):
        super().__init__()
        both = layer.kind == "Bidirectional"
        if both and layer.options["merge_mode"] != "concat":
            raise UnsupportedError("PyTorch's recurrent layers concatenate both directions.")
        one = layer.inner("forward") if both else layer
        names = [f"{layer.name}.{d}_layer" for d in ("forward", "backward")] if both else [one.name]
        options = one.options
        activation = options["activation"]
        kind = one.kind
        allowed = ("tanh", "relu") if kind == "SimpleRNN" else ("tanh",)
        if activation not in allowed or options.get("recurrent_activation", "sigmoid") != "sigmoid":
            raise UnsupportedError(f"PyTorch has no {kind} with {activation}.")
        if not options.get("reset_after", True):
            raise UnsupportedError("PyTorch's GRU resets after the product.")
        if options["go_backwards"] or options["return_state"]:
            raise UnsupportedError(
                f"PyTorch has no {kind} that runs backwards or returns its state."
            )
        classes: Mapping[str, Any] = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
        self.rnn = classes[kind](
            one.in_features,
            options["units"],
            batch_first=True,
            bidirectional=both,
            bias=options["use_bias"],
            **({"nonlinearity": activation} if kind == "SimpleRNN" else {}),
        )
        self.sequences, self.lstm = options["return_sequences"], kind == "LSTM"
        for name, suffix in zip(names, ("", "_reverse"), strict=False):
            blocks = {
                "weight_ih": material.weight(name, "kernel").T,
                "weight_hh": material.weight(name, "recurrent_kernel").T,
            }
            if options["use_bias"]:
                bias = material.weight(name, "bias")
                pair = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
                blocks |= {"bias_ih": pair[0], "bias_hh": pair[1]}
            for block, value in blocks.items():
                parts = np.split(value, len(GATES[kind]))
                ordered = np.concatenate([parts[gate] for gate in GATES[kind]])
                setattr(self.rnn, f"{block}_l0{suffix}", _tensor(ordered))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        steps = x.shape[1]
        packed: Any = x
        if mask is not None:
            lengths = mask.sum(1).cpu()
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.rnn(packed)
        if not self.sequences:
            last = state[0] if self.lstm else state
            return torch.cat(tuple(last), -1) if len(last) > 1 else last[0]
        if mask is not None:
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=steps)
        return outputs


def _images(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def _back(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def _same(layer: Layer, window: Any, strides: Any) -> tuple[int, ...]:
    """Padding "same" as left, right, top, bottom; the odd pixel goes to the right and bottom."""
    pads: list[int] = []
    for side, size, stride in zip(
        reversed(layer.shapes[0][:2]), reversed(window), reversed(strides), strict=True
    ):
        total = max((-(-side // stride) - 1) * stride + size - side, 0)
        pads += [total // 2, total - total // 2]
    return tuple(pads)


class _Conv(nn.Module):
    def __init__(self, layer: Layer, material: Material):
        super().__init__()
        options = layer.options
        window, strides = options["kernel_size"], options["strides"]
        pads = _same(layer, window, strides) if options["padding"] == "same" else (0, 0, 0, 0)
        even = pads[0] == pads[1] and pads[2] == pads[3]
        self.pads = () if even else pads
        self.conv = nn.Conv2d(
            layer.in_features,
            options["filters"],
            tuple(window),
            stride=tuple(strides),
            padding=(pads[2], pads[0]) if even else 0,
            dilation=tuple(options["dilation_rate"]),
            groups=options["groups"],
            bias=options["use_bias"],
        )
        self.conv.weight = _tensor(material.weight(layer.name, "kernel").transpose(3, 2, 0, 1))
        if options["use_bias"]:
            self.conv.bias = _tensor(material.weight(layer.name, "bias"))
        self.activation = ACTIVATIONS[options["activation"]]

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        x = _images(x)
        if self.pads:
            x = functional.pad(x, self.pads)
        return _back(self.activation(self.conv(x)))


class _Dense(nn.Module):
    def __init__(self, layer: Layer, material: Material):
        super().__init__()
        bias = layer.options["use_bias"]
        self.linear = nn.Linear(layer.in_features, layer.options["units"], bias=bias)
        self.linear.weight = _tensor(material.weight(layer.name, "kernel").T)
        if bias:
            self.linear.bias = _tensor(material.weight(layer.name, "bias"))
        self.activation = ACTIVATIONS[layer.options["activation"]]

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        return self.activation(self.linear(x))


class _Norm(nn.Module):
    def __init__(self, layer: Layer, material: Material):
        super().__init__()
        features, options = layer.in_features, layer.options
        self.norm = nn.BatchNorm1d(
            features, eps=options["epsilon"], momentum=1 - options["momentum"]
        )
        one, zero = np.ones(features, np.float32), np.zeros(features, np.float32)
        name = layer.name
        self.norm.weight = _tensor(material.weight(name, "gamma") if options["scale"] else one)
        self.norm.bias = _tensor(material.weight(name, "beta") if options["center"] else zero)
        statistics: Any = self.norm
        statistics.running_mean.copy_(_tensor(material.weight(name, "moving_mean")).data)
        statistics.running_var.copy_(_tensor(material.weight(name, "moving_variance")).data)

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        if x.ndim == 2:
            return self.norm(x)
        images: Any = functional.batch_norm(
            _images(x),
            self.norm.running_mean,
            self.norm.running_var,
            self.norm.weight,
            self.norm.bias,
            self.training,
            self.norm.momentum or 0.0,
            self.norm.eps,
        )
        return _back(images)


class _Embedding(nn.Module):
    def __init__(self, layer: Layer, material: Material):
        super().__init__()
        self.table = nn.Embedding.from_pretrained(
            _tensor(material.weight(layer.name, "embeddings")).data, freeze=False
        )

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        return self.table(x)


class _Dropout(nn.Module):
    def __init__(self, layer: Layer, _: Material):
        super().__init__()
        self.dropout = nn.Dropout(layer.options["rate"])

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        return self.dropout(x)


class _Pool(nn.Module):
    def __init__(self, layer: Layer, _: Material):
        super().__init__()
        options = layer.options
        self.window = tuple(options["pool_size"])
        self.strides = tuple(options["strides"] or options["pool_size"])
        same = options["padding"] == "same"
        self.pads = _same(layer, self.window, self.strides) if same else (0, 0, 0, 0)
        self.largest = layer.kind == "MaxPooling2D"
        even = self.pads[0] == self.pads[1] and self.pads[2] == self.pads[3]
        self.even = even
        if not self.largest and not even:
            raise UnsupportedError("PyTorch's average pooling pads evenly.")

    def forward(self, x: torch.Tensor, _: Any) -> torch.Tensor:
        x = _images(x)
        around = (self.pads[2], self.pads[0])
        if self.largest and not self.even:
            x, around = functional.pad(x, self.pads, value=-torch.inf), (0, 0)
        if self.largest:
            return _back(functional.max_pool2d(x, self.window, self.strides, around))
        return _back(
            functional.avg_pool2d(x, self.window, self.strides, around, count_include_pad=False)
        )


class _Function(nn.Module):
    """A layer without weights."""

    def __init__(self, layer: Layer, _: Material):
        super().__init__()
        options = layer.options
        functions: Mapping[str, Any] = {
            "Activation": lambda x: ACTIVATIONS[options["activation"]](x),
            "ReLU": torch.relu,
            "Flatten": lambda x: x.flatten(1),
            "Rescaling": lambda x: (
                x * x.new_tensor(options["scale"]) + x.new_tensor(options["offset"])
            ),
            "Reshape": lambda x: x.reshape(len(x), *options["target_shape"]),
            "GlobalAveragePooling2D": lambda x: x.mean((1, 2)),
            "GlobalMaxPooling2D": lambda x: x.amax((1, 2)),
            "Concatenate": lambda *xs: torch.cat(xs, options["axis"]),
            "NotEqual": lambda x: x != options["constants"][0],
            "Any": lambda x: x.any(-1),
            "Masking": lambda x: x * (x != options["mask_value"]).any(-1, keepdim=True),
        }
        if layer.kind not in functions:
            raise UnsupportedError(f"this adapter has no {layer.kind}.")
        self.function = functions[layer.kind]

    def forward(self, x: Any, _: Any) -> torch.Tensor:
        return self.function(*x) if isinstance(x, list) else self.function(x)


LAYERS: Mapping[str, type[nn.Module]] = {
    "AveragePooling2D": _Pool,
    "BatchNormalization": _Norm,
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


class _Model(nn.Module):
    def __init__(self, material: Material):
        super().__init__()
        self.network = material.shared_network()
        self.built = nn.ModuleList(
            LAYERS.get(layer.kind, _Function)(layer, material) for layer in self.network.layers
        )
        self.by_name = {
            layer.name: module
            for layer, module in zip(self.network.layers, self.built, strict=True)
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def call(layer: Layer, inputs: list[Any], mask: Any) -> Any:
            return self.by_name[layer.name](inputs[0] if len(inputs) == 1 else inputs, mask)

        return self.network.run(call, x)


class Adapter:
    """See `benchmarks.peers.Participant`."""

    def __init__(self, material: Material, device: str):
        if device == "tpu" or (device == "gpu" and not torch.cuda.is_available()):
            raise UnsupportedError(f"this PyTorch has no {device}.")
        self.device = torch.device("cuda" if device == "gpu" else device)
        self.targets = material.targets
        self.model = _Model(material).to(self.device)
        self.batches = [
            (torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device))
            for x, y in material.batches
        ]
        self.direction = torch.from_numpy(material.direction).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, eps=EPSILON)
        self.steps = 0

    def _loss(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.targets == "classes":
            return functional.cross_entropy(outputs, y.long())
        loss = functional.binary_cross_entropy_with_logits(outputs, y.float(), reduction="sum")
        return loss / len(y)

    def _train(self) -> torch.Tensor:
        self.model.train()
        x, y = self.batches[self.steps % len(self.batches)]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        return loss.detach()

    def _predict(self, x: torch.Tensor) -> torch.Tensor:
        self.model.eval()
        with torch.inference_mode():
            return self.model(x)

    def _gradient(self, x: torch.Tensor) -> torch.Tensor:
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        x = x.detach().requires_grad_()
        self.model(x).backward(self.direction)
        gradient = x.grad
        assert gradient is not None
        return gradient

    def outputs(self) -> np.ndarray:
        """See `Participant`."""
        return self._predict(self.batches[0][0]).cpu().numpy()

    def losses(self, steps: int) -> list[float]:
        """See `Participant`."""
        return [self._train().item() for _ in range(steps)]

    def input_gradient(self) -> np.ndarray:
        """See `Participant`."""
        return self._gradient(self.batches[0][0]).cpu().numpy()

    def run(self, measure: str, steps: int) -> None:
        """See `Participant`."""
        for i in range(steps):
            x = self.batches[i % len(self.batches)][0]
            if measure == "train":
                self._train()
            elif measure == "gradient":
                self._gradient(x)
            else:
                self._predict(x)
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def about(self) -> Mapping[str, object]:
        """See `Participant`."""
        cuda = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name() if cuda else "cpu",
            "device peak bytes": torch.cuda.max_memory_allocated() if cuda else None,
            "versions": {"torch": torch.__version__},
            "threads": torch.get_num_threads(),
        }
