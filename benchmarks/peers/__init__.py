"""The participants: one adapter file each, which alone imports its library.

A module here has a class `Adapter`, made of a `Material` and a device, which builds the network
out of its library's own layers, the way that library's users do.
"""

import importlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np

from benchmarks.material import Material


class Participant(Protocol):
    """What an adapter can do. Every method returns when the result is there."""

    def outputs(self) -> np.ndarray:
        """Of the first batch, in evaluation."""

    def losses(self, steps: int) -> list[float]:
        """The loss before each of the first training steps; models only."""

    def input_gradient(self) -> np.ndarray:
        """Of `sum(outputs · direction)` with respect to the first batch; single layers only."""

    def run(self, measure: str, steps: int) -> None:
        """Does what is measured, `steps` times, one after the other."""

    def about(self) -> Mapping[str, object]:
        """Versions, and the device that was used."""


class Peer(NamedTuple):
    """A library: its name in tables, what has to be importable, and how to install that."""

    title: str
    modules: Sequence[str]
    install: str


OURS = "zoo"
PEERS: Mapping[str, Peer] = {
    "keras_tensorflow": Peer(
        "Keras / TensorFlow", ("keras", "tensorflow", "h5py"), "pip install keras tensorflow-cpu"
    ),
    "keras_jax": Peer("Keras / JAX", ("keras", "h5py"), "pip install keras"),
    "torch": Peer("PyTorch", ("torch",), "pip install torch"),
    "flax_nnx": Peer("Flax nnx.RNN", ("flax",), "pip install flax"),
    "equinox": Peer("Equinox", ("equinox",), "pip install equinox"),
    "haiku": Peer("Haiku", ("haiku",), "pip install dm-haiku"),
}


def title_of(participant: str) -> str:
    """The name in tables."""
    return participant if participant == OURS else PEERS[participant].title


def choose_peers(names: Sequence[str]) -> tuple[str, ...]:
    """The peers of these names, each once; "none" is none of them.

    Raises:
        ZooError: an unknown name; the message offers near ones.
    """
    from zoo.errors import unknown_name  # here, since a peer's process imports this file too

    wanted = [name for name in names if name != "none"]
    for name in wanted:
        if name not in PEERS:
            raise unknown_name("peer", name, [*PEERS, "none"])
    return tuple(name for name in PEERS if name in wanted)


def missing(peer: str) -> str | None:
    """The line that installs what a peer lacks here, or None where it has all."""
    found = all(find_spec(module) is not None for module in PEERS[peer].modules)
    return None if found else PEERS[peer].install


def import_adapter(participant: str) -> Any:
    """The module of a participant, and with it the library."""
    return importlib.import_module(f"{__name__}.{participant}")


def make(participant: str, material: Material, device: str) -> Participant:
    """Builds the case's model with a participant's library.

    Raises:
        UnsupportedError: the library has no layer that computes the same.
    """
    adapter: Participant = import_adapter(participant).Adapter(material, device)
    return adapter
