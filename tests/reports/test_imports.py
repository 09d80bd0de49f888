"""The room opens without its libraries, and says which extra brings them."""

import subprocess
import sys

import numpy as np
import pytest

from zoo.errors import MissingExtraError
from zoo.reports import (
    RunFolder,
    Table,
    classification_report,
    confusion_matrix_figure,
    mean_interval,
)


def test_importing_the_room_imports_no_library():
    program = (
        "import sys, zoo; before = set(sys.modules); import zoo.reports; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    added = set(done.stdout.split())
    assert "zoo" in added
    assert not added & {"matplotlib", "scipy", "sklearn", "tabulate", "safetensors", "pandas"}


@pytest.mark.parametrize(
    ("module", "extra", "use"),
    [
        ("sklearn.metrics", "reports", lambda _: classification_report([0], [0], ["a", "b"])),
        ("scipy.stats", "reports", lambda _: mean_interval([1.0, 2.0])),
        ("tabulate", "reports", lambda _: Table(["a"], []).text()),
        (
            "matplotlib.figure",
            "reports",
            lambda _: confusion_matrix_figure(np.eye(2, dtype=int), ["a", "b"], title=""),
        ),
        (
            "safetensors",
            "train",
            lambda path: RunFolder(path).save_weights("a.safetensors", {"a": np.ones(1)}),
        ),
    ],
)
def test_a_missing_library_is_named_with_its_extra(monkeypatch, tmp_path, module, extra, use):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as error:
        use(tmp_path)
    assert str(error.value) == (
        f"{module!r} is needed here and is not installed: run pip install 'zoo[{extra}]' "
        f"(from a checkout: pip install -e '.[{extra}]')."
    )


def test_one_seed_needs_no_statistics_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    assert str(mean_interval([0.5])) == "0.5000 (1 seed)"
