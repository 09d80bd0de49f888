"""Models by name: what is found, and what is said when it is not."""

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
from flax import nnx

import zoo
from tests.functional.cases import zoo_error
from zoo.models import model_config, registry


@dataclass(frozen=True)
class Config:
    width: int = 3


@pytest.fixture(autouse=True)
def _names_of_a_test_end_with_it(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


def register(name="mine", config=Config):
    @zoo.register_model(name, config)
    class Mine(nnx.Module):
        def __init__(self, config, *, rngs):
            self.config, self.rngs = config, rngs

    return Mine


def test_a_registered_model_is_made_by_its_name():
    kind = register()
    rngs = nnx.Rngs(0)
    model = zoo.create_model("mine", rngs=rngs, width=5)
    assert isinstance(model, kind)
    assert model.config == Config(5)
    assert model.rngs is rngs
    assert model_config("mine") == Config(3)
    assert "mine" in zoo.list_models()


def test_patterns():
    assert zoo.list_models("fashion_mnist_*") == ("fashion_mnist_cnn", "fashion_mnist_lstm")
    assert zoo.list_models("no_such_*") == ()
    assert list(zoo.list_models()) == sorted(zoo.list_models())


def test_a_config_is_frozen():
    config = model_config("mnist_lstm", units=8)
    assert config.units == 8
    with pytest.raises(FrozenInstanceError):
        config.units = 9
    assert hash(config) == hash(replace(config))


def test_a_name_that_is_taken():
    kind = register()
    with zoo_error(f"model 'mine' is registered already, by {kind}."):
        register()


def test_a_config_that_could_change():
    @dataclass
    class Loose:
        width: int = 3

    for config in (Loose, dict):
        with zoo_error(f"config of model 'mine' must be a frozen dataclass, got {config!r}."):
            register(config=config)
    assert "mine" not in zoo.list_models()


def test_an_unknown_name_with_the_near_ones():
    with zoo_error(
        "unknown model 'mnist_lsmt': did you mean 'mnist_lstm' or 'fashion_mnist_lstm' or "
        "'text_lstm'? Known: "
        f"{', '.join(zoo.list_models())}."
    ):
        zoo.create_model("mnist_lsmt", rngs=nnx.Rngs(0))


def test_a_name_that_is_none():
    with pytest.raises(zoo.errors.ZooError, match=r"^unknown model None\. Known: cifar10_cnn, "):
        zoo.create_model(None, rngs=nnx.Rngs(0))


def test_an_unknown_option_with_the_near_one():
    with zoo_error(
        "unknown option of model 'mnist_lstm' 'unit': did you mean 'units'? Known: classes, "
        "input_shape, units."
    ):
        zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0), unit=8)


def test_a_seed_is_no_rngs():
    with zoo_error("rngs must be an nnx.Rngs, such as nnx.Rngs(0), got 0."):
        zoo.create_model("mnist_lstm", rngs=0)
