"""The Hugging Face Hub, asked only when it answers."""

import threading
from typing import Any

from zoo.data.catalogue import ImageDataset
from zoo.errors import require

SECONDS_TO_ANSWER = 3.0


class HubUnavailable(Exception):  # noqa: N818
    """The Hub cannot be asked now, or its client cannot give the data set."""


def hub_tables(dataset: ImageDataset) -> dict[str, Any]:
    """The data set's splits as tables, through the Hub's client `datasets`.

    Without an answer the client tries again noisily for a long time, so it is asked only once
    the Hub has answered. With HF_HUB_OFFLINE=1 the Hub is left alone, and the client gives the
    copy that it keeps itself.

    Raises:
        HubUnavailable: the Hub does not answer, or the client fails; the message says why.
    """
    datasets, hub = require("datasets", "data"), require("huggingface_hub", "data")
    if not hub.constants.HF_HUB_OFFLINE and (problem := _problem_of_asking(hub, dataset)):
        raise HubUnavailable(
            f"{problem}; if its client keeps a copy, HF_HUB_OFFLINE=1 uses that without asking"
        )
    try:
        splits = datasets.load_dataset(dataset.repository, dataset.config)
    except Exception as error:  # the client raises errors of a dozen libraries
        raise HubUnavailable(_in_one_line(error)) from error
    return {name: split.with_format("arrow")[:] for name, split in splits.items()}


def _problem_of_asking(hub: Any, dataset: ImageDataset) -> str | None:
    """Why the Hub gives nothing about the data set, or None if it does."""
    problem: list[str] = [f"no answer in {SECONDS_TO_ANSWER:g} s"]

    def ask() -> None:
        try:
            hub.HfApi().dataset_info(dataset.repository, timeout=SECONDS_TO_ANSWER)
            problem.clear()
        except Exception as error:  # whatever the HTTP library of this version raises
            problem[:] = [f"asking it failed ({_in_one_line(error)})"]

    # In a thread, since looking a name up knows no time limit.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_ANSWER)
    return problem[0] if problem else None


def _in_one_line(error: Exception) -> str:
    """What kind of error it is and the first line of what it says: there may be a page of it."""
    first = (str(error).strip().splitlines() or ["no message"])[0]
    return f"{type(error).__name__}: {first[:200]}"
