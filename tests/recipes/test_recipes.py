"""The recipes from end to end on scikit-learn's digits, and what they say to a user's mistakes."""

import csv
import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

import zoo
from recipes import fashion_mnist, mnist_lstm, readme
from recipes.fashion_mnist import FashionMNISTOptions
from recipes.image_study import Options
from zoo.data import Dataset, Split, load
from zoo.data.catalogue import CATALOGUE
from zoo.errors import ZooError
from zoo.models import set_weights
from zoo.training import evaluate, predict
from zoo.training.functions import described

QUICK = {"dataset": "digits", "epochs": 1, "progress": False, "how": "in_turn"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    fashion_mnist.main(FashionMNISTOptions(**QUICK, seeds=2, out=out))
    return out


def test_a_run_folder_has_all_of_the_run(run):
    names = {path.name for path in run.iterdir()}
    for model in ("rnn", "cnn"):
        names -= {f"{model}-confusion.png", f"{model}-classes.md", f"{model}-classes.csv"}
        names -= {f"{model}-seed-0.safetensors", f"{model}-seed-1.safetensors"}
    assert names == {
        "checkpoints",
        "config.json",
        "learning_curves.png",
        "metrics.json",
        "table.csv",
        "table.md",
    }
    config = json.loads((run / "config.json").read_text())
    assert config["augment"] == {"RNN": None, "CNN": None}
    for picture in run.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("study", [fashion_mnist.STUDY, mnist_lstm.STUDY], ids=lambda s: s.name)
def test_presets_can_be_sent_to_other_processes(study):
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8)
    for entry in study.entries:
        for preset in entry.presets.values():
            sent = pickle.loads(pickle.dumps(preset))
            assert sent.training == preset.training
            if preset.augment is not None:
                key = jax.random.key(0)
                np.testing.assert_array_equal(
                    sent.augment(key, images), preset.augment(key, images)
                )
                assert described(sent.augment) == described(preset.augment)


def test_the_table_is_made_of_the_metrics(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["command"] == (
        "python -m recipes.fashion_mnist --seeds 2 --epochs 1 --how in_turn --dataset digits"
    )
    with (run / "table.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    for label in ("RNN", "CNN"):
        values = metrics["models"][label]["macro-F1"]
        assert len(values) == 2
        assert float(rows[label]["macro-F1"]) == pytest.approx(np.mean(values))
        # t(0.975) with one degree of freedom, over the standard error of two values
        half = 12.7062 * abs(values[0] - values[1]) / 2
        assert float(rows[label]["macro-F1 ±"]) == pytest.approx(half, rel=1e-4)
        assert metrics["models"][label]["reported"] is None  # the report was not on digits


def test_the_weights_are_the_model_s(run):
    metrics = json.loads((run / "metrics.json").read_text())
    model = zoo.create_model("fashion_mnist_cnn", rngs=nnx.Rngs(9), input_shape=(8, 8, 1))
    set_weights(model, load_file(run / "cnn-seed-1.safetensors"))
    accuracy = evaluate(model, load("digits").test).accuracy
    assert accuracy == pytest.approx(metrics["models"]["CNN"]["accuracy"][1])


def test_a_complete_run_is_read_and_not_trained_again(run, monkeypatch, capsys):
    before = json.loads((run / "metrics.json").read_text())["models"]["CNN"]
    monkeypatch.setattr("zoo.training.program.Program.run", None)
    fashion_mnist.main(FashionMNISTOptions(**QUICK, seeds=2, out=run))
    after = json.loads((run / "metrics.json").read_text())["models"]["CNN"]
    for figure in ("accuracy", "macro-F1", "histories", "seconds an epoch"):
        assert after[figure] == before[figure]
    assert "Everything is in" in capsys.readouterr().out


def test_a_folder_of_another_run_is_refused(run):
    with pytest.raises(ZooError) as caught:
        fashion_mnist.main(FashionMNISTOptions(**{**QUICK, "epochs": 2}, out=run))
    assert str(caught.value) == (
        f"{run} holds another run: training CNN epochs was 1 and is now 2; training RNN epochs "
        "was 1 and is now 2. Give the same options to continue it, or another --out."
    )


def test_the_lstm_on_rows_and_its_best_preset(tmp_path):
    mnist_lstm.main(Options(**QUICK, preset="best", out=tmp_path))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["preset"] == "best"
    history = metrics["models"]["LSTM"]["histories"][0]
    assert history["step"] == [1437 // 128]
    assert np.isfinite(history["loss"]).all()


def test_the_best_cnn_is_asked_about_mirror_images_too(tmp_path):
    options = FashionMNISTOptions(**QUICK, models=("cnn",), preset="best", out=tmp_path)
    fashion_mnist.main(options)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["options"] == {"CNN": {"dropout": 0.1}}
    model = zoo.create_model("fashion_mnist_cnn", rngs=nnx.Rngs(9), input_shape=(8, 8, 1))
    set_weights(model, load_file(tmp_path / "cnn-seed-0.safetensors"))
    x, y = load("digits").test
    both = jax.nn.softmax(predict(model, x)) + jax.nn.softmax(predict(model, x[:, :, ::-1]))
    right = both.argmax(axis=-1) == y
    assert not np.array_equal(right, predict(model, x).argmax(axis=-1) == y)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["models"]["CNN"]["accuracy"] == [pytest.approx(np.mean(right))]
    with (tmp_path / "table.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["CNN, mirrored"]


def nowhere(monkeypatch):
    monkeypatch.delenv("ZOO_DATA_DIR", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    absent = replace(CATALOGUE["fashion_mnist"], idx_folder="no-such-folder")
    monkeypatch.setitem(CATALOGUE, "fashion_mnist", absent)


def test_without_a_source_the_first_line_says_so_and_digits_are_used(tmp_path, monkeypatch, capsys):
    nowhere(monkeypatch)
    options = FashionMNISTOptions(**{**QUICK, "dataset": None}, models=("cnn",), out=tmp_path)
    fashion_mnist.main(options)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "No source of fashion_mnist answered, so this run is on digits instead and says nothing "
        "about the report."
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dataset"] == "digits"
    assert metrics["models"]["CNN"]["reported"] is None


def test_a_data_set_that_was_asked_for_is_not_replaced(tmp_path, monkeypatch):
    nowhere(monkeypatch)
    options = FashionMNISTOptions(**{**QUICK, "dataset": "fashion_mnist"}, out=tmp_path)
    with pytest.raises(ZooError, match="data set 'fashion_mnist' was found nowhere"):
        fashion_mnist.main(options)


def test_texts_are_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    split = Split(np.array(["bagus", "buruk"]), np.array([1, 0], np.int32))
    texts = Dataset("nusax-ind", "nowhere", ("negative", "positive"), split, split)
    monkeypatch.setattr("recipes.run.load", lambda *_, **__: texts)
    options = FashionMNISTOptions(**{**QUICK, "dataset": "nusax"}, out=tmp_path / "run")
    with pytest.raises(ZooError, match="dataset must be one of images, got 'nusax', which has"):
        fashion_mnist.main(options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "minst"], "unknown data set 'minst': did you mean 'mnist'"),
        (["--sedes", "3"], "Unrecognized options: --sedes"),
        (["--seeds", "0"], "seeds must be a positive integer, got 0."),
        (["--models", "rrn"], "invalid choice 'rrn'"),
        (["--models"], "models must be rnn, cnn or both"),
        (["--dataset", "digits", "--out", "pyproject.toml/run"], "cannot be created"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "recipes.fashion_mnist", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ZOO_DATA_DIR": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout


def test_help_teaches():
    done = subprocess.run(
        [sys.executable, "-m", "recipes.fashion_mnist", "--help"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    for words in ("RNN against CNN on Fashion-MNIST", "--preset", "trained as", "--out"):
        assert words in done.stdout


def test_the_readme_gets_the_results(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = "![Curves](docs/learning_curves.png)\n"
    Path("README.md").write_text(
        f"before\n{readme.BEGIN}\nwritten before\n{readme.END}\n{picture}after\n"
    )
    readme.main(readme.ReadmeOptions(runs=(run,), times=(run,)))
    text = Path("README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "written before" not in text
    metrics = json.loads((run / "metrics.json").read_text())
    low, high = sorted(metrics["models"]["CNN"]["accuracy"])
    assert f"{low:.4f} to {high:.4f}" in text
    assert f"jax {metrics['environment']['jax']}" in text
    assert [file.name for file in Path("docs").iterdir()] == ["learning_curves.png"]
    with pytest.raises(ZooError, match="must be the folder of a finished run"):
        readme.main(readme.ReadmeOptions(runs=(tmp_path,), times=()))
