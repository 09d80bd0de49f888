"""The recipe from end to end on small images: training, prediction, workbook, and mistakes."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from PIL import Image

import zoo
from recipes import inception_gru as recipe
from recipes import readme
from recipes.inception_gru import Predict, Train, Workbook
from zoo.data import load
from zoo.errors import ZooError
from zoo.keras import save_weights
from zoo.models import model_config

QUICK = {"epochs": 1, "progress": False, "how": "in_turn"}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    recipe.train(Train(from_scratch=True, dataset="digits", size=8, out=out, seeds=2, **QUICK))
    return out


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Two classes that are easily told apart."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for label, base in (("dark", 30), ("light", 220)):
        (folder / label).mkdir()
        for i in range(20):
            pixels = np.clip(base + rng.normal(scale=9, size=(20, 24, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def transfer(photos, tmp_path_factory) -> Path:
    """A run with a random encoder, which is cut after its second block to be quick."""
    out = tmp_path_factory.mktemp("transfer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "model_config", partial(model_config, until="mixed1"))
        recipe.train(
            Train(
                random_encoder=True,
                folder=photos,
                size=75,
                frozen_until="mixed0",
                out=out,
                **{**QUICK, "epochs": 2},
            )
        )
    return out


def test_from_scratch(run):
    names = {path.name for path in run.iterdir()}
    assert {"table.md", "metrics.json", "config.json", "learning_curves.png"} <= names
    assert {"table-model-confusion.png", "table-model-seed-1.safetensors"} <= names
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["command"] == (
        "python -m recipes.inception_gru train --seeds 2 --epochs 1 --how in_turn --dataset digits "
        "--from-scratch --size 8"
    )
    assert metrics["dataset"] == "digits (0, 1, 2)"
    assert len(metrics["models"]["table-model"]["accuracy"]) == 2


def test_the_trained_model_comes_back(run):
    model, classes, words = recipe.trained_model(run)
    assert (classes, words) == (("0", "1", "2"), "table-model, encoder: none: trained from scratch")
    test = load("digits").test
    kept = test.y < 3
    logits = recipe.predict(model, test.x[kept], preprocess=model.config.preprocess)
    accuracy = (logits.argmax(1) == test.y[kept]).mean()
    metrics = json.loads((run / "metrics.json").read_text())
    assert accuracy == pytest.approx(metrics["models"]["table-model"]["accuracy"][0])


def test_predictions_go_on_after_a_damaged_image(run, tmp_path, capsys):
    for name, mode in (("grey.png", "L"), ("clear.png", "RGBA"), ("large.jpg", "RGB")):
        Image.new(mode, (30, 20)).save(tmp_path / name)
    (tmp_path / "damaged.png").write_text("no image")
    paths = [tmp_path / n for n in ("grey.png", "damaged.png", "no.png", "clear.png", "large.jpg")]
    recipe.predict_images(Predict(run=run, images=tuple(paths)))
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split(":")[0] for line in lines[1:4]] == ["grey.png", "clear.png", "large.jpg"]
    assert f"left out: {tmp_path / 'damaged.png'} is damaged" in said.err
    assert "no.png" in said.err
    assert (run / "predictions.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ZooError, match="images must have at least one that can be decoded"):
        recipe.predict_images(Predict(run=run, images=(tmp_path / "damaged.png",)))


def test_a_random_encoder_is_said_in_every_output(transfer, photos, capsys):
    metrics = json.loads((transfer / "metrics.json").read_text())
    assert metrics["encoder"] == "random weights"
    assert list(metrics["models"]) == ["GRU-on-random-encoder"]
    assert "GRU-on-random-encoder" in (transfer / "table.md").read_text()
    recipe.predict_images(
        Predict(run=transfer, images=(photos / "dark" / "0.png", photos / "light" / "0.png"))
    )
    assert capsys.readouterr().out.startswith(
        "GRU-on-random-encoder, encoder: random weights\n0.png: "
    )


def test_what_was_trained_on_features_is_the_model_s(transfer, photos):
    """The head on cached features scores what the whole model scores on the images."""
    model, classes, _ = recipe.trained_model(transfer)
    assert classes == ("dark", "light")
    test = zoo.data.load_folder(photos, (75, 75, 3), progress=False).test
    logits = recipe.predict(model, test.x, preprocess=model.config.preprocess, batch_size=4)
    accuracy = (logits.argmax(1) == test.y).mean()
    metrics = json.loads((transfer / "metrics.json").read_text())
    assert accuracy == pytest.approx(metrics["models"]["GRU-on-random-encoder"]["accuracy"][0])


def test_a_file_of_another_network(tmp_path):
    save_weights(zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0)), tmp_path / "a.weights.h5")
    with pytest.raises(ZooError) as caught:
        recipe.load_encoder(tmp_path / "a.weights.h5")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'a.weights.h5'} must have the weights of Inception v3:")
    assert "layers/lstm/cell/vars/0 is not in the model" in message


def test_a_workbook(run, tmp_path, capsys):
    openpyxl = pytest.importorskip("openpyxl", reason="needs the package openpyxl")
    recipe.write_workbook(Workbook(out=tmp_path / "a.xlsx", size=4, head="gru"))
    sheets = openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames
    assert sheets[:3] == ["overview", "input", "stem.conv"]
    assert sheets[-3:] == ["gru", "logits", "softmax"]
    assert "sheet for each layer" in capsys.readouterr().out
    with pytest.raises(ZooError, match=r"would have [\d,]+ cells, more than 1,000"):
        recipe.write_workbook(Workbook(out=tmp_path / "b.xlsx", run=run, max_cells=1000))


def test_the_readme_gets_the_results(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin, end = readme.SCRATCH
    Path("README.md").write_text(f"before\n{begin}\nwritten before\n{end}\nafter\n")
    readme.main(readme.ReadmeOptions(scratch=run))
    text = Path("README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "written before" not in text
    assert "python -m recipes.inception_gru train --seeds 2" in text
    assert "1 epochs took" in text
    assert "all 2 together" in text


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recipes.inception_gru", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ZOO_DATA_DIR": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "train needs the weights of Inception v3: get https://storage.googleapis.com/"),
        (["train", "--weights", "no.h5"], "weights must be a file of Keras, got no file no.h5."),
        (["train", "--from-scratch", "--random-encoder"], "only one of from_scratch and random_"),
        (["train", "--random-encoder", "--size", "60"], "must be at least 75 pixels high and wide"),
        (["train", "--from-scratch", "--folder", "no"], "got no folder no."),
        (
            ["train", "--from-scratch", "--dataset", "digits", "--classes", "1", "x"],
            "unknown class",
        ),
        (["predict", "no", "a.png"], "no must be the folder of a finished run"),
        (["workbook", "a.xls"], "path must end in .xlsx, got 'a.xls'."),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments, message):
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_help_teaches():
    done = command("train", "--help")
    assert done.returncode == 0
    for words in ("--weights", "official", "--from-scratch", "--frozen-until", "three"):
        assert words in done.stdout
