"""What every recipe's run has: its options, its data, and a folder that can be continued."""

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.data import Dataset, DatasetUnavailable, load
from zoo.errors import ZooError, check_positive
from zoo.reports import RunFolder

FALLBACK = "digits"


@dataclass(frozen=True)
class SeedOptions:
    """Options that every recipe has."""

    seeds: int = 1
    """How many seeds, from 0 on. With two or more there are intervals."""
    epochs: int | None = None
    """Another number of epochs than the recipe's."""
    how: Literal["auto", "processes", "vmap", "in_turn"] = "auto"
    """How several seeds are trained: side by side on a core each, in one program, or in turn."""
    out: Path | None = None
    """Folder for the results. One that an interrupted run left is continued. Without it, a new
    folder in runs/."""
    progress: bool = True
    """Show a bar, or a line now and then where there is no terminal."""

    def __post_init__(self) -> None:
        check_positive(seeds=self.seeds)
        if self.epochs is not None:
            check_positive(epochs=self.epochs)


@dataclass(frozen=True)
class RunOptions(SeedOptions):
    """Options that every recipe on images has."""

    dataset: str | None = None
    """Train on this data set and on no other. Without it the recipe's own is used or, where no
    source of that answers, the small digits that come with scikit-learn."""


def command_line(recipe: str, options: SeedOptions) -> str:
    """The command that asks for these options, but for where its results go.

    Args:
        recipe: its name, with the subcommand where there are some.
        options: what was given.
    """
    words = ["python", "-m", *f"recipes.{recipe}".split()]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value != field.default and field.name not in ("out", "progress"):
            name = field.name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            else:
                values = value if isinstance(value, tuple) else (value,)
                words += [f"--{name}", *map(str, values)]
    return shlex.join(words)


def load_or_fall_back(dataset: str, options: RunOptions) -> Dataset:
    """The images that were asked for, or the recipe's, or the digits with a line that says so."""
    try:
        data = load(options.dataset or dataset, progress=options.progress)
    except DatasetUnavailable as error:
        if options.dataset is not None:
            raise
        print(
            f"No source of {dataset} answered, so this run is on {FALLBACK} instead and "
            f"says nothing about the report.\n{error}"
        )
        return load(FALLBACK, progress=options.progress)
    if data.train.x.ndim != 4:
        raise ZooError(f"dataset must be one of images, got {options.dataset!r}, which has texts.")
    return data


def continue_run(folder: RunFolder, config: Mapping[str, Any]) -> None:
    """Writes config.json, or refuses a folder that holds a run with another one."""
    if (folder.path / "config.json").exists():
        before = folder.load_json("config.json")
        differences = _differences(before, folder.as_json(config))
        if differences:
            raise ZooError(
                f"{folder.path} holds another run: {'; '.join(differences)}. Give the same "
                "options to continue it, or another --out."
            )
    folder.save_json("config.json", config)


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            difference
            for key in sorted({*before, *now})
            for difference in _differences(before.get(key), now.get(key), f"{name} {key}".strip())
        ]
    return [] if before == now else [f"{name} was {before!r} and is now {now!r}"]
