"""The Hugging Face Hub, asked only when it answers."""

import io
import threading
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

from zoo.data.catalogue import TableDataset, TextDataset
from zoo.errors import require

SECONDS_TO_ANSWER = 3.0
CONVERTED = "refs/convert/parquet"


class HubUnavailable(Exception):  # noqa: N818
    """The Hub cannot be asked now, or its client cannot give the data set."""


def hub_tables(dataset: TableDataset) -> dict[str, Any]:
    """The data set's splits as tables, through the Hub's client `datasets`.

    Without an answer the client tries again noisily for a long time, so it is asked only once
    the Hub has answered. With HF_HUB_OFFLINE=1 the Hub is left alone, and the client gives the
    copy that it keeps itself. Texts are also looked for among the files that the Hub has made of a
    data set's script, which `datasets` no longer runs.

    Raises:
        HubUnavailable: the Hub does not answer, or the client fails; the message says why.
    """
    datasets, hub = require("datasets", "data"), require("huggingface_hub", "data")
    if not hub.constants.HF_HUB_OFFLINE and (problem := _problem_of_asking(hub, dataset)):
        raise HubUnavailable(
            f"{problem}; if its client keeps a copy, HF_HUB_OFFLINE=1 uses that without asking"
        )
    ask = partial(datasets.load_dataset, dataset.repository)
    attempts = {"": partial(ask, dataset.config)}
    if isinstance(dataset, TextDataset):
        files = {split: f"{dataset.config}/{split}/*.parquet" for split in dataset.splits}
        attempts["its converted files: "] = partial(ask, revision=CONVERTED, data_files=files)
    problems = []
    for what, attempt in attempts.items():
        try:
            splits = attempt()
        except Exception as error:  # the client raises errors of a dozen libraries
            problems.append(f"{what}{_in_one_line(error)}")
        else:
            return {name: split.with_format("arrow")[:] for name, split in splits.items()}
    raise HubUnavailable("; ".join(problems))


def authors_tables(dataset: TextDataset) -> dict[str, Any]:
    """The splits as tables, from the authors' own CSV files.

    Raises:
        HubUnavailable: they cannot be fetched or are not to be; the message says why.
    """
    if require("huggingface_hub", "data").constants.HF_HUB_OFFLINE:
        raise HubUnavailable("not asked, since HF_HUB_OFFLINE is set")
    csv = require("pyarrow.csv", "data")
    tables: dict[str, Any] = {}

    def fetch() -> None:
        for split, address in dataset.authors_files.items():
            with urllib.request.urlopen(address, timeout=SECONDS_TO_ANSWER) as answer:
                tables[split] = csv.read_csv(
                    io.BytesIO(answer.read()),
                    # Texts may have line breaks, and words like "null" are words.
                    parse_options=csv.ParseOptions(newlines_in_values=True),
                    convert_options=csv.ConvertOptions(strings_can_be_null=False),
                )

    problem = _problem_of(fetch, SECONDS_TO_ANSWER * len(dataset.authors_files))
    if problem:
        raise HubUnavailable(problem)
    return tables


def _problem_of_asking(hub: Any, dataset: TableDataset) -> str | None:
    """Why the Hub gives nothing about the data set, or None if it does."""
    return _problem_of(
        lambda: hub.HfApi().dataset_info(dataset.repository, timeout=SECONDS_TO_ANSWER),
        SECONDS_TO_ANSWER,
    )


def _problem_of(ask: Callable[[], object], seconds: float) -> str | None:
    """Why asking came to nothing within some seconds, or None if it did not."""
    problem: list[str] = [f"no answer in {seconds:g} s"]

    def try_to() -> None:
        try:
            ask()
            problem.clear()
        except Exception as error:  # whatever the HTTP library of this version raises
            problem[:] = [f"asking it failed ({_in_one_line(error)})"]

    # In a thread, since looking a name up knows no time limit.
    thread = threading.Thread(target=try_to, daemon=True)
    thread.start()
    thread.join(seconds)
    return problem[0] if problem else None


def _in_one_line(error: Exception) -> str:
    """What kind of error it is and the first line of what it says: there may be a page of it."""
    first = (str(error).strip().splitlines() or ["no message"])[0]
    return f"{type(error).__name__}: {first[:200]}"
