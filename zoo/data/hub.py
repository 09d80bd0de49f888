"""The Hugging Face Hub, asked only when it answers."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from zoo.data.catalogue import ImageDataset
from zoo.errors import require

SECONDS_TO_ANSWER = 4.0


class HubUnavailable(Exception):  # noqa: N818
    """The Hub cannot be asked now, and its client has kept no copy."""


def hub_tables(dataset: ImageDataset) -> dict[str, Any]:
    """The data set's splits as tables, from the Hub or from its client's own cache.

    The client retries noisily for a long time when there is no network, so it is asked only
    after the Hub has answered, or for what it has kept.

    Raises:
        HubUnavailable: neither is the case; the message says why.
    """
    datasets = require("datasets", "data")
    silence = _why_silent()
    if silence is not None:
        kept = Path(datasets.config.HF_DATASETS_CACHE, dataset.repository.replace("/", "___"))
        if not kept.exists():
            raise HubUnavailable(f"{silence}, and no copy in {kept.parent}")
    with _offline() if silence else contextlib.nullcontext():
        try:
            splits = datasets.load_dataset(dataset.repository, dataset.config)
        except Exception as error:  # the client raises errors of a dozen libraries
            raise HubUnavailable(" ".join(str(error).split())[:300]) from error
    return {name: split.with_format("arrow")[:] for name, split in splits.items()}


def _why_silent() -> str | None:
    """Why the Hub cannot be asked, or None if it answers."""
    hub = require("huggingface_hub", "data")
    if hub.constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    endpoint = hub.constants.ENDPOINT
    problem: list[str] = [f"no answer in {SECONDS_TO_ANSWER:.0f} s"]

    def ask() -> None:
        try:
            hub.utils.get_session().head(endpoint, timeout=SECONDS_TO_ANSWER)
            problem.clear()
        except Exception as error:  # whatever the HTTP library of this version raises
            problem[:] = [f"not reached ({type(error).__name__})"]

    # In a thread, since looking a name up knows no time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_ANSWER + 0.5)
    return problem[0] if problem else None


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The client as if HF_HUB_OFFLINE had been set before it was imported."""
    datasets, hub = require("datasets", "data"), require("huggingface_hub", "data")
    with (
        patch.object(hub.constants, "HF_HUB_OFFLINE", True),
        patch.object(datasets.config, "HF_HUB_OFFLINE", True),
    ):
        logging.getLogger("datasets").setLevel(logging.ERROR)
        yield
