"""What every participant of a case is given: the network, its weights and the data, in a folder.

Light, as `benchmarks.network` is: a peer's process imports this and its own library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.network import Network, UnsupportedError

KERAS_FILE = "model.keras"


@dataclass(frozen=True)
class Material:
    """One case as data.

    Args:
        case: its name.
        group: the case's group.
        targets: what is trained for, as in `Case`.
        batch: examples in a step, B.
        network: None where the model computes outside its layers, so that no peer can build it.
        why_none: then, the reason.
        weights: arrays named `<layer>.<weight>`.
        x: examples, a whole number of batches.
        y: their targets: `[N]`, or boolean `[N, K]`.
        direction: of a single layer, what its outputs are multiplied with to get a loss.
        folder: where all this lies, and the Keras file.
    """

    case: str
    group: str
    targets: str
    batch: int
    network: Network | None
    why_none: str
    weights: Mapping[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    direction: np.ndarray
    folder: Path

    @property
    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The data, cut into batches in the order in which they are trained on."""
        starts = range(0, len(self.x), self.batch)
        return [(self.x[s : s + self.batch], self.y[s : s + self.batch]) for s in starts]

    def shared_network(self) -> Network:
        """The network, or `UnsupportedError`."""
        if self.network is None:
            raise UnsupportedError(self.why_none)
        return self.network

    def weight(self, layer: str, name: str) -> np.ndarray:
        """One weight of a layer."""
        return self.weights[f"{layer}.{name}"]


def read_material(folder: Path) -> Material:
    """What `write_material` saved."""
    about = json.loads((folder / "case.json").read_text())
    text = (folder / "network.json").read_text()
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Material(
        **about,
        network=None if text == "null" else Network.from_json(text),
        weights={
            name.removeprefix("weights/"): value
            for name, value in arrays.items()
            if name.startswith("weights/")
        },
        x=arrays["x"],
        y=arrays["y"],
        direction=arrays["direction"],
        folder=folder,
    )
