"""From a Keras config to a model without weights.

Reading has two steps. First everything in the config is looked at, and what is not understood is
collected, so that one error can list it all. Then the layers are made in the order of their
calls, each for the shape that reaches it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from flax import nnx

from zoo.errors import ZooError
from zoo.keras import arguments as a
from zoo.keras.arguments import Field
from zoo.keras.graph import Call, Graph, Input, insert_after
from zoo.keras.layer_table import (
    LAYERS,
    MODELS,
    NO_MATTER,
    NO_MATTER_ENDINGS,
    WRAPPERS,
)
from zoo.keras.makers import (
    Maker,
    NoNumbers,
    bidirectional_maker,
    layer_maker,
    time_distributed_maker,
)
from zoo.keras.masks import KERAS3, Version
from zoo.keras.model import KerasModel, in_order, run_graph
from zoo.keras.operations import OPERATIONS, Operation
from zoo.keras.wiring import Wiring, is_operation
from zoo.keras.wording import listed, short

# An unknown size (any number of steps or pixels) stands in as this one while shapes are worked
# out; nothing is computed, so it may be large enough for any window.
_ANY_SIZE = 1024
# Models within models can double the calls with every level of a small file. The largest known
# networks have a thousand.
_MOST_CALLS = 5_000


class ConfigReader:
    """Reads configs, and collects what it does not understand.

    Args:
        version: the version of Keras that wrote them.
    """

    def __init__(self, version: Version):
        self.version, self.keras2 = version, version < KERAS3
        self.problems: list[str] = []
        # How many layers run in one call of the model, or wrapper of one, at a path.
        self._sizes: dict[str, int] = {}

    def problem(self, path: str, text: str) -> None:
        """Notes something that is not understood, with its place in the file."""
        self.problems.append(f"{path}: {text}")

    def layer(self, entry: Any, path: str) -> tuple[Maker, dict[str, Any]] | None:
        """A layer, wrapper, model or operation; and what of its config does not matter here."""
        config = entry.get("config") if isinstance(entry, Mapping) else None
        class_name = entry.get("class_name") if isinstance(entry, Mapping) else None
        if not isinstance(class_name, str):
            self.problem(path, "must be a layer with a class_name and a config")
            return None
        if class_name in MODELS and self.is_keras(entry, path):
            plan = self.model(entry, path)
            return (plan.maker, {}) if plan else None
        if not isinstance(config, Mapping):
            self.problem(path, f"config of {class_name} must be an object")
            return None
        if is_operation(entry):
            return self._operation(class_name, config, path)
        if not self.is_keras(entry, path):
            return None
        if class_name in WRAPPERS:
            return self._wrapper(class_name, config, path)
        if class_name not in LAYERS:
            self.problem(path, _unknown_layer(class_name))
            return None
        spec = LAYERS[class_name]
        options, kept = self._options(class_name, spec.fields, config, path)
        if options is None:
            return None
        return layer_maker(class_name, spec, options), kept

    def is_keras(self, entry: Mapping[str, Any], path: str) -> bool:
        """Whether a class is Keras's own; if not, that is a problem."""
        own = a.is_own(entry)
        if not own:
            name, module = entry.get("registered_name") or entry["class_name"], entry.get("module")
            self.problem(
                path,
                f"class {short(name)} of {short(module)} is not one of Keras's own; code of a file "
                "is never run",
            )
        return own

    def _operation(
        self, class_name: str, config: Mapping[str, Any], path: str
    ) -> tuple[Maker, dict[str, Any]] | None:
        if class_name not in OPERATIONS:
            known = ", ".join(sorted(OPERATIONS))
            self.problem(path, f"operation {class_name} is not supported; supported are {known}")
            return None
        options, _ = self._options(class_name, OPERATIONS[class_name][0], config, path)
        if options is None:
            return None
        return (lambda inputs, rngs: Operation(class_name, options)), {}  # noqa: ARG005

    def _wrapper(
        self, class_name: str, config: Mapping[str, Any], path: str
    ) -> tuple[Maker, dict[str, Any]] | None:
        merge = Field(a.choice("concat", "sum", "mul", "ave", None), "concat")
        fields = {"merge_mode": merge} if class_name == "Bidirectional" else {}
        rest = {k: v for k, v in config.items() if k not in ("layer", "backward_layer")}
        options, kept = self._options(class_name, fields, rest, path)
        inner = self.layer(config.get("layer"), f"{path}/layer")
        if options is None or inner is None:
            return None
        if class_name == "TimeDistributed":
            self._sizes[path] = self._sizes.get(f"{path}/layer", 1)
            return time_distributed_maker(inner[0]), {**kept, "layer": inner[1]}
        backward = None
        if config.get("backward_layer") is not None:
            backward = self.layer(config["backward_layer"], f"{path}/backward_layer")
            if backward is None:
                return None
        maker = bidirectional_maker(inner[0], backward and backward[0], options)
        return maker, {**kept, "layer": inner[1]}

    def _options(
        self,
        class_name: str,
        fields: Mapping[str, Field],
        config: Mapping[str, Any],
        path: str,
    ) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """The arguments of a layer, and the ones that do not matter; None if any is wrong."""
        before = len(self.problems)
        options: dict[str, Any] = {}
        kept: dict[str, Any] = {}
        names = set(fields) | {f.alias for f in fields.values() if f.alias}
        for name, field in fields.items():
            given = name if field.alias is None or name in config else field.alias
            if given not in config:
                if field.default is ...:
                    self.problem(path, f"{class_name} must have {name}, got none")
                options[name] = field.default
                continue
            try:
                options[name] = field.parse(config[given], self.keras2)
            except a.Unsupported as error:
                self.problem(path, f"{class_name} {given} {error}")
        for name, value in config.items():
            if name == "dtype" and name not in names:
                try:
                    a.policy(value, self.keras2)
                except a.Unsupported as error:
                    self.problem(path, f"{class_name} dtype {error}")
            elif name in NO_MATTER or name.endswith(NO_MATTER_ENDINGS):
                kept[name] = value
            elif name not in names and value not in (None, False):
                self.problem(path, f"{class_name} {name}={short(value)} is not supported")
        return (options if len(self.problems) == before else None), kept

    def model(self, entry: Mapping[str, Any], path: str) -> "ModelPlan | None":
        """A Sequential or Functional model."""
        config = entry.get("config")
        if isinstance(config, list):  # Keras before 2.2.3 wrote the layers alone
            config = {"name": "sequential", "layers": config}
        if not isinstance(config, Mapping) or not isinstance(config.get("layers"), list):
            self.problem(path, f"{entry.get('class_name')} must have a list of layers")
            return None
        before = len(self.problems)
        if "dtype" in config:
            try:
                a.policy(config["dtype"], self.keras2)
            except a.Unsupported as error:
                self.problem(path, f"{entry.get('class_name')} dtype {error}")
        makers: dict[str, Maker] = {}
        activations: dict[str, Maker] = {}
        kept: dict[str, Any] = {}
        wiring = Wiring(self, path, entry, config)
        for i, layer in enumerate(config["layers"]):
            name = wiring.name_of(layer, i)
            if name is None or wiring.is_input(layer):
                continue
            layer, activation = _split_activation(layer)
            if activation is not None:
                after = self.layer(activation, f"{path}/{name}/activation")
                if after is not None:
                    activations[name] = after[0]
            read = self.layer(layer, f"{path}/{name}")
            if read is not None:
                makers[name] = read[0]
                kept[name] = read[1]
        graph = wiring.graph()
        if graph is not None:
            size = sum(self._sizes.get(f"{path}/{call.layer}", 1) for call in graph.calls)
            self._sizes[path] = size
            if size > _MOST_CALLS:
                self.problem(path, f"must call layers at most {_MOST_CALLS:,} times, got {size:,}")
        if graph is None or len(self.problems) > before:
            return None
        for name, maker in activations.items():
            if name in graph.layers:
                new = f"{name}_activation"
                while new in makers:
                    new += "_"
                makers[new] = maker
                graph = insert_after(graph, name, new)
        text = tuple((name, json.dumps(value)) for name, value in kept.items() if value)
        return ModelPlan(graph, makers, text, self.version)


@dataclass(frozen=True)
class ModelPlan:
    """A model that was read and can be made."""

    graph: Graph
    makers: Mapping[str, Maker]
    kept: tuple[tuple[str, str], ...]
    version: Version

    def maker(self, inputs: Any, rngs: nnx.Rngs) -> KerasModel:
        """Makes the model, as a layer of another one, for such inputs."""
        return self._build(in_order(self.graph, inputs), rngs)

    def build(self) -> KerasModel:
        """Makes the whole model, every weight still without numbers.

        Raises:
            ZooError: shapes do not fit together; the message has the layer's path.
        """
        unknown = [spec.name for spec in self.graph.inputs if spec.shape is None]
        if unknown:
            raise ZooError(
                f"the shape of input {', '.join(unknown)} is not in the file: the model was saved "
                "before it was built."
            )

        rngs: Any = NoNumbers()

        def make() -> KerasModel:
            examples = [
                jnp.zeros((2, *(_ANY_SIZE if side is None else side for side in spec.shape or ())))
                for spec in self.graph.inputs
            ]
            return self._build(examples, rngs)

        try:
            model: KerasModel = nnx.eval_shape(make)
        except ZooError:
            raise
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ZooError(f"the layers do not fit together: {error}") from error
        return model

    def _build(self, examples: list[Any], rngs: nnx.Rngs) -> KerasModel:
        inputs = tuple(
            spec if spec.shape is not None else Input(spec.name, _known(example), spec.dtype)
            for spec, example in zip(self.graph.inputs, examples, strict=True)
        )
        graph = replace(self.graph, inputs=inputs)
        model = KerasModel(graph, version=self.version, kept=self.kept)
        made: dict[str, nnx.Module] = {}

        def layer_of(call: Call, arguments: list[Any]) -> nnx.Module:
            if call.layer not in made:
                layer = self.makers[call.layer](arguments[0], rngs)
                layer.eval()
                made[call.layer] = layer
            return made[call.layer]

        run_graph(graph, layer_of, examples, None, version=self.version)
        model.add_layers(made)
        return model


def _known(example: Any) -> tuple[int | None, ...]:
    """The shape of one example, as far as nothing stands in for an unknown size."""
    return tuple(None if side == _ANY_SIZE else side for side in example.shape[1:])


def _split_activation(entry: Any) -> tuple[Any, Any]:
    """A layer without the layer that is its activation, and that one, or None.

    Keras allows such a layer where a name usually stands; what has constants of its own becomes
    a layer after this one, which computes the same.
    """
    config = entry.get("config") if isinstance(entry, Mapping) else None
    activation = config.get("activation") if isinstance(config, Mapping) else None
    if (
        not isinstance(config, Mapping)
        or not isinstance(activation, Mapping)
        or entry.get("class_name") not in _WITH_ACTIVATION
        or activation.get("class_name") not in ("ReLU", "LeakyReLU", "ELU", "Softmax")
    ):
        return entry, None
    return {**entry, "config": {**config, "activation": None}}, activation


_WITH_ACTIVATION = ("Activation", "Dense", "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D")


def _unknown_layer(class_name: str) -> str:
    if class_name == "Lambda":
        return "Lambda is code, and code of a file is never run"
    known = ", ".join(sorted([*LAYERS, *WRAPPERS, "InputLayer", *MODELS]))
    return f"layer {class_name} is not supported; supported are {known}"


def read_model_config(config: Mapping[str, Any], *, version: Version, where: str) -> ModelPlan:
    """The plan of the model that a file's config describes.

    Raises:
        ZooError: whatever is not understood, all of it, each with its path in the file.
    """
    reader = ConfigReader(version)
    plan = None
    try:
        if config.get("class_name") not in MODELS:
            reader.problem(
                "model",
                f"must be one of {', '.join(MODELS)}, got {short(config.get('class_name'))}",
            )
        elif reader.is_keras(config, "model"):
            plan = reader.model(config, "model")
    except RecursionError:
        reader.problem("model", "is nested too deeply")
    if plan is None or reader.problems:
        raise ZooError(f"{where} has a model that is not supported:{listed(reader.problems)}")
    return plan
