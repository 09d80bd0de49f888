"""Weights of legacy HDF5 files, which go by the names of layers and of their weights."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from zoo.keras.hdf5 import HDF5File
from zoo.keras.slots import Slot

# What one weight is called elsewhere.
_ALIASES = {"depthwise_kernel": "kernel", "embeddings": "embedding"}


class Match(NamedTuple):
    """Which data set fills which weight, and what found no partner."""

    pairs: list[tuple[str, Slot]]
    problems: list[str]


def stored_layers(file: HDF5File, root: str) -> tuple[dict[str, list[str]], list[str]]:
    """For each layer that has weights the paths of their data sets, and what is amiss."""
    problems: list[str] = []
    stored: dict[str, list[str]] = {}
    for layer in file.names(root or "/", "layer_names"):
        group = f"{root}{layer}"
        if layer in stored:
            problems.append(f"{group} is named twice in layer_names")
        if not file.has_group(group):
            problems.append(f"{group} is named in layer_names but not there")
            continue
        paths = [f"{group}/{name}" for name in file.names(group, "weight_names")]
        problems += [
            f"{path} is named in weight_names but not there"
            for path in paths
            if path not in file.datasets
        ]
        if paths:
            stored[layer] = paths
    named = {path for paths in stored.values() for path in paths}
    problems += [
        f"{path} is not named in weight_names"
        for path in file.datasets
        if path.startswith(root) and path not in named and not path.startswith("optimizer_weights")
    ]
    return stored, problems


def match_layers(
    stored: Mapping[str, list[str]], slots: Sequence[Slot], *, same_names: bool
) -> Match:
    """Pairs stored layers with a model's, then the weights of each.

    Layers go by name. Only where the names are not the model's (`same_names` says whether they
    must be) do they go by order, as Keras does it, and even then not against a name.
    """
    wanted: dict[str, list[Slot]] = {}
    for slot in slots:
        wanted.setdefault(slot.owners[0], []).append(slot)
    if same_names or set(stored) == set(wanted):
        layers = {name: name for name in stored if name in wanted}
    else:
        contradiction = _contradiction(list(stored), list(wanted))
        if len(stored) != len(wanted) or contradiction:
            reason = contradiction or (
                f"{len(stored)} layers with weights in the file, {len(wanted)} in the model"
            )
            return Match(
                [],
                [
                    f"layers cannot be told apart: {reason}{_surplus(stored, wanted)}; the file "
                    f"has {_some(stored)}; the model has {_some(wanted)}"
                ],
            )
        layers = dict(zip(stored, wanted, strict=True))
    match = Match([], [])
    for name, paths in stored.items():
        if name not in layers:
            match.problems.extend(f"{path} is not in the model" for path in paths)
        else:
            _match_weights(paths, wanted[layers[name]], match)
    missing = set(wanted) - set(layers.values())
    match.problems.extend(
        f"{'/'.join(slot.owners)}/{slot.name} of the model is not in the file"
        for name in wanted
        if name in missing
        for slot in wanted[name]
    )
    return match


def _contradiction(stored: list[str], wanted: list[str]) -> str | None:
    """Why order would go against names, or None.

    A name in both lists must stand at the same place, unless both lists number that kind of
    layer alike, only from another number on: Keras numbers on through a session.
    """
    for name in stored:
        if name in wanted and stored.index(name) != wanted.index(name):
            ours, theirs = _places(wanted, _kind(name)), _places(stored, _kind(name))
            if ours != theirs:
                return f"{name} is layer {stored.index(name)} there and {wanted.index(name)} here"
    return None


def _surplus(stored: Iterable[str], wanted: Iterable[str]) -> str:
    """Which kinds of layers the file or the model has more of."""
    theirs, ours = (Counter(map(_kind, names)) for names in (stored, wanted))
    more = [
        f"; the {place} has {n} more of {kind}"
        for place, counts in (("file", theirs - ours), ("model", ours - theirs))
        for kind, n in sorted(counts.items())
    ]
    return "".join(more) if len(more) <= 6 else ""


def _some(names: Iterable[str]) -> str:
    """Names in words; of more than a dozen the first ten."""
    listed = list(names)
    if len(listed) <= 12:
        return ", ".join(listed)
    return f"{', '.join(listed[:10])} and {len(listed) - 10} more"


def _kind(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _places(names: list[str], kind: str) -> list[int] | None:
    """Where the layers of one kind stand; None if their numbers do not rise."""
    places = [i for i, name in enumerate(names) if _kind(name) == kind]
    numbers = [int(re.sub(r"\D", "", names[i][len(kind) :]) or 0) for i in places]
    return places if numbers == sorted(set(numbers)) else None


def _match_weights(paths: Sequence[str], slots: Sequence[Slot], match: Match) -> None:
    """Pairs the weights of one layer: by name, then by the names of the layers inside it.

    What is still undecided goes by Keras's order: trainable weights first.
    """
    free = sorted(slots, key=lambda slot: not slot.trainable)
    for path in paths:
        parts = [part.split(":")[0] for part in path.split("/")]
        named = [slot for slot in free if _same(slot.name, parts[-1])]
        if not named:
            expected = ", ".join(slot.name for slot in free) or "nothing more"
            match.problems.append(f"{path} is not in the model, which has {expected} there")
            continue
        best = max(_known_owners(slot, parts) for slot in named)
        slot = next(slot for slot in named if _known_owners(slot, parts) == best)
        free.remove(slot)
        match.pairs.append((path, slot))
    match.problems.extend(
        f"{'/'.join(slot.owners)}/{slot.name} of the model is not in the file" for slot in free
    )


def _same(ours: str, theirs: str) -> bool:
    theirs = re.sub(r"_\d+$", "", theirs)
    return ours == theirs or _ALIASES.get(theirs) == ours


def _known_owners(slot: Slot, parts: Sequence[str]) -> int:
    """How many of the layers around a weight are named in its path in the file."""
    count = 0
    for owner in slot.owners[1:]:
        way = owner.split("_")[0]
        directed = way in ("forward", "backward")
        count += any(part == owner or (directed and part.startswith(f"{way}_")) for part in parts)
    return count
