"""The recipe for several labels from end to end, on a few scenes of scikit-learn's digits."""

import csv
import json

import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from recipes import multilabel_cnn_rnn, readme
from recipes.multilabel_cnn_rnn import MultilabelOptions
from tests.recipes.page import rewritten
from zoo.data import load, scenes
from zoo.errors import ZooError
from zoo.models import set_weights
from zoo.reports import multilabel_report
from zoo.training import LabelPaths

QUICK = {
    "dataset": "digits",
    "epochs": 1,
    "seeds": 2,
    "progress": False,
    "how": "in_turn",
    "strengths": ("strong",),
    "scenes": 64,
}


@pytest.fixture(scope="module")
def small():
    """Fewer test scenes and a model that compiles sooner: the same recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multilabel_cnn_rnn, "TEST", 48)
        patch.setattr(multilabel_cnn_rnn, "TIMED_IMAGES", 8)
        patch.setattr(multilabel_cnn_rnn, "FEATURES", 16)
        patch.setattr(multilabel_cnn_rnn, "EMBEDDING", 8)
        patch.setattr(multilabel_cnn_rnn, "UNITS", 8)
        yield


@pytest.fixture(scope="module")
def run(small, tmp_path_factory):  # noqa: ARG001
    out = tmp_path_factory.mktemp("run")
    multilabel_cnn_rnn.main(MultilabelOptions(**QUICK, out=out))
    return out


def test_a_run_folder_has_all_of_the_run(run):
    names = {path.name for path in run.iterdir()}
    weights = {f"strong-{m}-seed-{s}.safetensors" for m in ("cnn", "cnn-rnn") for s in (0, 1)}
    pictures = {"strong-images.png", "strong-cooccurrence.png"}
    tables = {
        f"{stem}.{kind}"
        for stem in ("table", "strong-factors", "strong-neighbours")
        for kind in ("md", "csv")
    }
    assert names == weights | pictures | tables | {"checkpoints", "config.json", "metrics.json"}


def test_the_table_is_made_of_the_metrics(run):
    metrics = json.loads((run / "metrics.json").read_text())
    measures = metrics["strengths"]["strong"]["measures"]
    with (run / "table.csv").open() as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert len(rows) == 9
    decisions = ("CNN", "CNN, top 3", "CNN-RNN", "CNN-RNN, by label")
    pairs = (("CNN-RNN", "CNN"), ("CNN-RNN, by label", "CNN"), ("CNN-RNN", "CNN, top 3"))
    for measure, row in rows.items():
        values = {decision: np.array(measures[decision][measure]) for decision in decisions}
        for decision in decisions:
            assert float(row[decision]) == pytest.approx(values[decision].mean())
        for ours, theirs in pairs:
            difference = values[ours] - values[theirs]
            assert float(row[f"{ours} − {theirs}"]) == pytest.approx(difference.mean())
            half = 12.7062 * abs(np.diff(difference).item()) / 2
            assert float(row[f"{ours} − {theirs} ±"]) == pytest.approx(half, rel=1e-4, abs=1e-12)
    search = metrics["strengths"]["strong"]["search"]
    assert search["images"] == 8
    assert search["encoder"] > 0


def test_both_models_have_as_many_parameters(run):
    models = json.loads((run / "metrics.json").read_text())["strengths"]["strong"]["models"]
    ours, theirs = (models[m]["parameters"] for m in ("CNN-RNN", "CNN"))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_the_measures_are_those_of_the_weights(run):
    data = scenes(
        load("digits"),
        "strong",
        train=64,
        test=48,
        seed=multilabel_cnn_rnn.SCENES_SEED,
        config=multilabel_cnn_rnn.SCENES,
    )
    metrics = json.loads((run / "metrics.json").read_text())["strengths"]["strong"]["measures"]
    contenders = multilabel_cnn_rnn._contenders(data, MultilabelOptions(**QUICK))
    for label, contender in contenders.items():
        model = contender.create(rngs=nnx.Rngs(9))
        set_weights(model, load_file(run / f"strong-{label.lower()}-seed-1.safetensors"))
        for decision, said in contender.predict(model, data.test.x).items():
            for name, value in multilabel_report(data.test.y, *said).measures().items():
                assert metrics[decision][name][1] == pytest.approx(value, abs=1e-6)
    assert contenders["CNN-RNN"].objective == LabelPaths(
        None, 4, label_weight=multilabel_cnn_rnn.LABEL_WEIGHT
    )


def test_the_cnn_says_what_is_above_a_half_or_three_labels(monkeypatch):
    logits = np.array([[0.5, -1, 2, -3, 1, 0.1], [-5, -4, -3, -2, -1, -6]])
    monkeypatch.setattr(multilabel_cnn_rnn, "predict", lambda *_: logits)
    said = multilabel_cnn_rnn._sigmoids(nnx.Module(), np.zeros((2, 4, 4, 1)))
    above, three = (np.argwhere(sets).tolist() for sets, _ in said.values())
    assert above == [[0, 0], [0, 2], [0, 4], [0, 5]]
    assert three == [[0, 0], [0, 2], [0, 4], [1, 2], [1, 3], [1, 4]]


def test_a_complete_run_is_read_and_not_trained_again(run, monkeypatch, capsys):
    before = json.loads((run / "metrics.json").read_text())["strengths"]["strong"]
    monkeypatch.setattr("zoo.training.program.Program.run", None)
    multilabel_cnn_rnn.main(MultilabelOptions(**QUICK, out=run))
    after = json.loads((run / "metrics.json").read_text())["strengths"]["strong"]
    for part in ("models", "measures"):
        assert after[part] == before[part]
    assert "Encoder and beam search of 8 images took" in capsys.readouterr().out


def test_a_folder_of_another_run_is_refused(run):
    with pytest.raises(ZooError, match="holds another run: order was 'random' and is now"):
        multilabel_cnn_rnn.main(MultilabelOptions(**QUICK, order="rare_first", out=run))
    with pytest.raises(ZooError, match=r"run: strengths was \['strong'\] and is now \['none'\]"):
        multilabel_cnn_rnn.main(MultilabelOptions(**(QUICK | {"strengths": ("none",)}), out=run))


def test_the_readme_gets_the_results(run, tmp_path, monkeypatch):
    text = rewritten(tmp_path, monkeypatch, readme.MULTILABEL, multilabel=run)
    assert "exact match" in text
    assert "times as long" in text
    pictures = {file.name for file in (tmp_path / "docs").iterdir()}
    assert pictures == {"strong-images.png", "strong-cooccurrence.png"}
    with pytest.raises(ZooError, match=r"runs, .* or studies must name a run folder, got none"):
        readme.main(readme.ReadmeOptions())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("beam_width", 0, "beam_width must be a positive integer, got 0."),
        ("scenes", -1, "scenes must be a positive integer, got -1."),
        ("seeds", 0, "seeds must be a positive integer, got 0."),
    ],
)
def test_options_that_make_no_sense(option, value, message):
    with pytest.raises(ZooError, match=message):
        MultilabelOptions(**{option: value})
