"""The ECRNN study from end to end: tiny models, scikit-learn's digits, all seeds in one program."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from scipy import stats

import zoo
from recipes import ecrnn, readme
from recipes.ecrnn import ECRNNOptions
from recipes.ecrnn_settings import (
    BUDGETS,
    GRID,
    MOMENTUM,
    REPORTED_CNN,
    UNITS,
    ablation_study,
    baseline,
    grid_entries,
    grid_setting,
    grid_studies,
    points,
    reported_accuracy,
    reported_difference,
)
from recipes.study import images_with_validation
from tests.recipes.page import rewritten
from zoo.data import load
from zoo.errors import ZooError
from zoo.models import model_config

ENTRIES = ("CNN", "CRNN LSTM 16", "ECRNN LSTM 16")
QUICK = {
    "dataset": "digits",
    "budget": "full",
    "grid": ("crnn-lstm-16", "ecrnn-lstm-16"),
    "epochs": 1,
    "seeds": 2,
    "how": "vmap",
    "progress": False,
}


def tiny(data):
    prepared = images_with_validation(data)
    return replace(prepared, sizes={**prepared.sizes, "filters": (2, 3)})


@pytest.fixture(scope="module", autouse=True)
def _tiny_models():
    """Models that compile fast, with 12 features: the same recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ecrnn, "images_with_validation", tiny)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    ecrnn.main(ECRNNOptions(**QUICK, out=out))
    return out


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def rows_of(file):
    with file.open() as lines:
        return list(csv.DictReader(lines))


def test_a_run_folder_has_all_of_the_run(run):
    names = {path.name for path in run.iterdir()}
    tables = {
        f"{stem}.{kind}"
        for stem in ("accuracy", "differences", "ecrnn-16", "classes")
        for kind in ("md", "csv")
    }
    pictures = {f"ecrnn-{p}.png" for p in ("16", "differences", "sequences")}
    assert names == tables | pictures | {
        "checkpoints",
        "config.json",
        "confusion.png",
        "metrics.json",
        "model.json",
        "runs",
    }
    metrics = metrics_of(run)
    assert metrics["training"]["epochs"] == 1
    assert metrics["images"] == len(images_with_validation(load("digits")).data.train.y)
    assert set(metrics["studies"]["ecrnn-16"]["settings"]) == set(ENTRIES)


def test_the_accuracy_table_is_made_of_the_metrics(run):
    settings = metrics_of(run)["studies"]["ecrnn-16"]["settings"]
    rows = rows_of(run / "accuracy.csv")
    assert [row["model"] for row in rows] == list(ENTRIES)
    for row in rows:
        values = settings[row["model"]]["measures"]["test accuracy"]
        assert float(row["accuracy %"]) == pytest.approx(100 * np.mean(values))
        assert row["the report"] == ""  # the report was not on digits
        assert row["seeds"] == "2"


def test_differences_are_paired_and_corrected(run):
    """Against SciPy's paired t test, and Holm's correction for two by hand."""
    settings = metrics_of(run)["studies"]["ecrnn-16"]["settings"]
    scores = {x: 100 * np.array(f["measures"]["test accuracy"]) for x, f in settings.items()}
    found = ecrnn.differences(metrics_of(run))
    assert list(found) == ["CRNN LSTM 16", "ECRNN LSTM 16"]
    p = {}
    for label, other in (("CRNN LSTM 16", "CNN"), ("ECRNN LSTM 16", "CRNN LSTM 16")):
        assert found[label].interval.mean == pytest.approx((scores[label] - scores[other]).mean())
        if np.ptp(scores[label] - scores[other]) > 0:
            p[label] = stats.ttest_rel(scores[label], scores[other]).pvalue
        else:
            p[label] = float(scores[label][0] == scores[other][0])
    small, large = sorted(p, key=p.__getitem__)
    assert found[small].p_value == pytest.approx(min(2 * p[small], 1))
    assert found[large].p_value == pytest.approx(max(min(2 * p[small], 1), p[large]))
    assert [row["difference"] for row in rows_of(run / "differences.csv")] == [
        "CRNN LSTM 16 − CNN",
        "ECRNN LSTM 16 − CRNN LSTM 16",
    ]


def test_where_one_has_more_seeds_those_that_both_have_are_compared():
    def figures(*accuracies):
        return {"measures": {"test accuracy": list(accuracies)}, "seconds": [1] * len(accuracies)}

    studies = {
        "a": {"settings": {"CNN": figures(0.5, 0.6), "CRNN LSTM 16": figures(0.6, 0.8)}},
        "b": {"settings": {"CNN": figures(0.5, 0.6, 0.1)}},
    }
    metrics = {"studies": studies}
    assert ecrnn.accuracies(ecrnn.grid_figures(metrics)["CNN"]) == pytest.approx([50, 60, 10])
    assert ecrnn.differences(metrics)["CRNN LSTM 16"].interval.mean == pytest.approx(15)


def test_what_is_finished_is_never_run_again(run, monkeypatch, capsys):
    before = metrics_of(run)["studies"]
    monkeypatch.setattr("zoo.training.program.Program.run", None)
    ecrnn.main(ECRNNOptions(**QUICK, out=run))
    assert metrics_of(run)["studies"] == before
    printed = capsys.readouterr().out
    assert "to run" not in printed
    assert "equal for all: adam, learning rate" in printed


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"epochs": 2}, "training epochs was 1 and is now 2"),
        ({"budget": "small"}, "budget was 'full' and is now 'small'"),
    ],
)
def test_another_config_is_refused_with_the_difference(run, change, difference):
    with pytest.raises(ZooError, match=f"{run} holds another run: .*{difference}"):
        ecrnn.main(ECRNNOptions(**{**QUICK, **change}, out=run))


def test_the_ablation_goes_on_in_the_same_folder(run, capsys, monkeypatch):
    def short(sizes, budget):
        study = ablation_study(sizes, budget)
        kept = ("ECRNN LSTM 16", "CRNN LSTM 16", "ECRNN, RNN given zeros")
        return replace(
            study,
            settings=tuple(setting for setting in study.settings if setting.label in kept),
            findings=tuple(f for f in study.findings if {*f.higher[0]} <= {*kept}),
        )

    monkeypatch.setattr(ecrnn, "ablation_study", short)  # each setting more is one to compile
    ecrnn.main(ECRNNOptions(**{**QUICK, "seeds": 1, "ablation": True}, out=run))
    printed = capsys.readouterr().out
    assert "ECRNN LSTM 16: " not in printed  # its runs are those of the grid
    assert "The RNN is where the image comes through: undecided" in printed
    rows = rows_of(run / "ecrnn-ablation.csv")
    assert len(rows) == 3
    # Nothing of an image can come through zeros: one class for all of them.
    (zeros,) = (row for row in rows if "zeros" in row["setting"])
    assert float(zeros["test accuracy"]) in np.bincount(load("digits").test.y) / 360


def test_influence_is_a_slope_times_a_deviation():
    model = zoo.create_model(
        "crnn", rngs=nnx.Rngs(0), input_shape=(8, 8, 1), filters=(2, 3), units=(4,)
    )
    model.eval()
    x = load("digits").test.x[:20]
    read = ecrnn.read_sequences(model, x, [3, 5])
    given = np.asarray(model.sequence(x.astype(np.float32) / 255))
    np.testing.assert_allclose(read.values, given[[3, 5], :, 0], rtol=1e-5, atol=1e-7)
    slopes = np.zeros(12)
    for step in range(12):
        moved = [given.copy(), given.copy()]
        moved[0][:, step] -= 0.01
        moved[1][:, step] += 0.01
        low, high = (np.asarray(model.classify(sequences)).max(axis=1) for sequences in moved)
        slopes[step] = np.abs((high - low) / 0.02).mean()
    np.testing.assert_allclose(
        read.influence, slopes * given.std(axis=0)[:, 0], rtol=0.02, atol=1e-6
    )


def test_the_grid_is_the_report_s():
    assert len(GRID) == len(set(GRID)) == 17
    assert grid_entries(()) == GRID
    assert grid_entries(("ecrnn-bilstm-16-16",)) == ("CNN", "ECRNN BiLSTM 16-16")
    config = model_config("ecrnn", **grid_setting("ECRNN BiLSTM 16-16", BUDGETS["small"]).options)
    assert (config.cell, config.units, config.bidirectional) == ("lstm", (16, 16), True)
    assert not model_config(
        "crnn", **grid_setting("CRNN LSTM 32", BUDGETS["small"]).options
    ).bidirectional
    for name, budget in BUDGETS.items():
        studies = grid_studies(GRID, budget)
        labels = {setting.label for study in studies for setting in study.settings}
        assert labels == set(GRID), name
        assert {s.training for study in studies for s in study.settings} == {budget.training}
    (alone,) = grid_studies(grid_entries(("cnn",)), BUDGETS["small"])
    assert [setting.label for setting in alone.settings] == ["CNN"]


def test_the_report_s_two_tables_agree():
    """Its differences are those of its accuracies, but for rounding in the second decimal."""
    for label in GRID[1:]:
        if not label.startswith("ECRNN"):
            difference = reported_accuracy(label) - REPORTED_CNN
            assert points(reported_difference(label)) == pytest.approx(difference, abs=0.011)
    found = [reported_accuracy(f"ECRNN LSTM {units}") for units in UNITS]
    assert found == [75.97, 75.60, 75.85, 75.55]
    assert reported_accuracy("ECRNN BiLSTM 16") is reported_difference("ECRNN BiLSTM 16") is None
    assert baseline("ECRNN LSTM 16") == "CRNN LSTM 16"


def test_the_ablation_changes_one_thing_at_a_time():
    sizes = {"input_shape": (32, 32, 3)}
    study = ablation_study(sizes, BUDGETS["small"])
    configs = {s.label: model_config(s.model, **sizes, **s.options) for s in study.settings}
    ours = configs[study.reference]
    assert configs["dense layers without a bottleneck"] == replace(ours, dense=(1024,) * 3)
    assert configs["ECRNN, RNN given zeros"] == replace(ours, given="zeros")
    assert configs["ECRNN, features shuffled"] == replace(ours, given="shuffled")
    crnn = configs["CRNN LSTM 16"]
    assert configs["CRNN, BatchNorm before the RNN"] == replace(crnn, batch_norm=True)
    assert configs["CRNN, features shuffled"] == replace(crnn, given="shuffled")
    assert configs["encoder-decoder without an RNN"] == model_config(
        "ecrnn_cnn", **sizes, encoder_decoder=True, momentum=MOMENTUM
    )
    assert len(configs) == 8
    assert {s.training for s in study.settings} == {BUDGETS["small"].training}
    assert {label for f in study.findings for label in f.higher[0]} == set(configs)


def test_a_part_of_the_images(monkeypatch):
    monkeypatch.setattr(ecrnn, "images_with_validation", images_with_validation)
    data = load("digits")
    budget = replace(BUDGETS["small"], images=200, test=100)
    prepared = ecrnn.prepare(data, budget)
    assert len(prepared.data.train.y) + len(prepared.validation.y) == 200
    assert np.bincount(prepared.data.train.y).min() >= 16  # each class has its share
    assert len(prepared.data.test.y) == 100
    again = ecrnn.prepare(data, budget)
    np.testing.assert_array_equal(prepared.data.train.x, again.data.train.x)
    all_of_it = ecrnn.prepare(data, BUDGETS["full"])
    assert all_of_it.data.test is data.test
    assert len(all_of_it.data.train.y) + len(all_of_it.validation.y) == len(data.train.y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "ecrnn-lstm-61"], "unknown grid entry 'ecrnn-lstm-61': did you mean"),
        (["--budget", "tiny"], "invalid choice 'tiny'"),
        (["--seeds", "0"], "seeds must be a positive integer, got 0."),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "recipes.ecrnn", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ZOO_DATA_DIR": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_that_is_written_down_is_understood():
    from recipes.run import command_line

    options = ECRNNOptions(ablation=True, grid=("cnn",), seeds=7)
    assert command_line("ecrnn", options) == (
        "python -m recipes.ecrnn --seeds 7 --grid cnn --ablation"
    )


def test_the_readme_gets_the_results(run, tmp_path, monkeypatch):
    text = rewritten(tmp_path, monkeypatch, readme.ECRNN, ecrnn=run)
    assert "ECRNN LSTM 16 − CRNN LSTM 16" in text
    assert "budget full" in text
    pictures = {file.name for file in (tmp_path / "docs").iterdir()}
    assert pictures == {"ecrnn-differences.png", "ecrnn-sequences.png"}


def test_the_readme_gets_the_table_of_the_full_budget(run, tmp_path, monkeypatch):
    text = rewritten(tmp_path, monkeypatch, readme.ECRNN_FULL, ecrnn_full=run)
    assert "| ECRNN LSTM 16 " in text
    assert "Measured on " in text
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]  # no pictures
