"""The command line, and what it writes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax import nnx

import zoo
import zoo.keras
from recipes import keras_parity
from tests.keras.conftest import expected, randomize
from zoo.data import Dataset, Split, TextConfig, TextEncoder
from zoo.keras.__main__ import main

X = np.random.default_rng(0).uniform(size=(3, 8, 8, 1)).astype(np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    model = zoo.create_model("mnist_lstm", rngs=nnx.Rngs(0), input_shape=(8, 8, 1), units=5)
    zoo.keras.save_model(model, tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_inspect_a_model(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: Keras archive, Keras 3.0.0",
        "Functional model 'MNISTLSTM'",
        "layer        class       output          parameters",
        "input_layer  InputLayer  (any, 8, 8, 1)           0",
        "rows         Reshape     (any, 8, 8)              0",
        "lstm         LSTM        (any, 5)               280",
        "logits       Dense       (any, 10)               60",
        "340 parameters: 340 trainable, 0 not",
    ]


def test_inspect_weights(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = file.with_name("w.weights.h5")
    assert main(["convert", str(file), str(weights)]) == 0
    assert main(["inspect", str(weights)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"wrote {weights}",
        f"{weights}: Keras 3 weights",
        "data set                 type     shape    numbers",
        "layers/dense/vars/0      float32  (5, 10)       50",
    ]


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5", ".safetensors"])
def test_convert_and_back(ending: str, file: Path) -> None:
    """Weights alone go back into a file with other weights."""
    theirs = zoo.keras.load_model(file)(X)
    there = file.with_name(f"there{ending}")
    assert main(["convert", str(file), str(there)]) == 0
    back = file.with_name("back.keras")
    if ending in (".weights.h5", ".safetensors"):
        other = zoo.create_model("mnist_lstm", rngs=nnx.Rngs(1), input_shape=(8, 8, 1), units=5)
        zoo.keras.save_model(other, back)
    assert main(["convert", str(there), str(back)]) == 0
    np.testing.assert_array_equal(zoo.keras.load_model(back)(X), theirs)


def test_a_folder_is_read_like_the_archive(file: Path) -> None:
    import zipfile

    folder = file.with_name("unpacked")
    zipfile.ZipFile(file).extractall(folder)
    np.testing.assert_array_equal(zoo.keras.load_model(folder)(X), zoo.keras.load_model(file)(X))
    (folder / "model.weights.h5").unlink()
    with pytest.raises(ValueError, match=r"must hold model\.weights\.h5"):
        zoo.keras.load_model(folder)


def test_convert_says_what_it_can_do(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(file), "model.onnx"]) == 2
    assert capsys.readouterr().err == (
        "error: OUT must end in one of .keras, .weights.h5, .h5, .safetensors, got 'model.onnx'.\n"
    )
    weights = str(file.with_name("w.weights.h5"))
    assert main(["convert", str(file), weights]) == 0
    assert main(["convert", weights, str(file.with_name("new.keras"))]) == 2
    assert "holds weights alone" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["inspect", "nothing.keras"], ["inspect"], []])
def test_status_two_without_a_traceback(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo.keras", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_legacy_file_of_ours_opens_in_keras(keras: Any, file: Path) -> None:
    theirs = keras.models.load_model(file)
    randomize(theirs)
    theirs.save(file)
    assert main(["convert", str(file), str(file.with_suffix(".h5"))]) == 0
    back = keras.models.load_model(file.with_suffix(".h5"))
    np.testing.assert_allclose(expected(back, X)[0], expected(theirs, X)[0], atol=1e-6)


def test_a_file_in_no_folder(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.parent / "nowhere" / "model.h5"
    assert main(["convert", str(file), str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: {out} cannot be written (No such file or directory): choose a path in a folder "
        "that is there and that you may write to.\n"
    )


def test_a_file_in_the_place_of_a_folder(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.parent / "taken.h5"
    out.mkdir()
    assert main(["convert", str(file), str(out)]) == 2
    assert f"{out} cannot be written (Is a directory)" in capsys.readouterr().err
    assert sorted(path.name for path in file.parent.iterdir()) == ["model.keras", "taken.h5"]


@pytest.mark.usefixtures("keras")
def test_parity(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keras_parity.main([str(file), "--dataset", "digits", "--examples", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file} on 200 test examples of digits"
    assert lines[1].split()[-1] == lines[2].split()[-1]
    assert lines[3] == "difference in macro-F1   0.000000"
    assert lines[4] == "agreement of predictions 1.0000"
    assert float(lines[5].split()[-1]) < 1e-5


def test_parity_without_keras(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    assert keras_parity.main([str(file), "--dataset", "digits", "--examples", "50"]) == 0
    out = capsys.readouterr().out
    assert "macro-F1 here" in out
    assert "keras is not installed, so there is nothing to compare with: pip install keras" in out


@pytest.fixture
def of_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of a command for a model of texts, but for the tokenizer."""
    texts = np.array(["enak sekali", "tidak enak", "biasa saja", "enak"])
    split = Split(texts, np.array([0, 1, 2, 0]))
    classes = ("positive", "negative", "neutral")
    data = Dataset("texts", "a test", classes, train=split, test=split)
    monkeypatch.setattr(keras_parity, "load", lambda name: data)  # noqa: ARG005
    encoder = TextEncoder.fit(texts, TextConfig(length=4))
    encoder.save(tmp_path / "tokenizer.json")
    model = zoo.create_model(
        "text_rnn",
        rngs=nnx.Rngs(0),
        input_shape=encoder.shape,
        vocabulary=encoder.vocabulary,
        classes=3,
    )
    zoo.keras.save_model(model, tmp_path / "texts.keras")
    return [str(tmp_path / "texts.keras"), "--dataset", "texts"]


def test_parity_of_texts(
    keras: Any, of_texts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del keras  # it only has to be there
    tokenizer = str(tmp_path / "tokenizer.json")
    assert keras_parity.main([*of_texts, "--tokenizer", tokenizer]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{of_texts[0]} on 4 test examples of texts"
    assert lines[4] == "agreement of predictions 1.0000"


def test_parity_of_texts_without_a_tokenizer(
    of_texts: list[str], file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    assert keras_parity.main(of_texts) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: tokenizer must be a file for texts, which has texts, got None.")
    monkeypatch.undo()
    assert keras_parity.main([str(file), "--dataset", "digits", "--tokenizer", str(file)]) == 2
    assert "tokenizer must be no file for digits" in capsys.readouterr().err


def test_parity_of_another_shape(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keras_parity.main([str(file), "--dataset", "digits", "--examples", "0"]) == 2
    assert capsys.readouterr().err == "error: examples must be a positive integer, got 0.\n"


def test_inception_v3(keras: Any, tmp_path: Path) -> None:
    """Every weight is in its place, though Keras does not keep the order they were made in."""
    inception = keras.applications.InceptionV3
    model = inception(weights=None, include_top=False, input_shape=(96, 96, 3))
    randomize(model)
    model.save(tmp_path / "theirs.keras")
    ours = zoo.keras.load_model(tmp_path / "theirs.keras")
    weights = dict(zip((w.path for w in model.weights), model.get_weights(), strict=True))
    found = {
        f"{name}/{kind}": np.asarray(getattr(layer, kind)[...])
        for name, layer in ours.layers().items()
        for kind in ("kernel", "beta", "moving_mean", "moving_variance")
        if getattr(layer, kind, None) is not None
    }
    assert sorted(found) == sorted(weights)
    for path, values in found.items():
        np.testing.assert_array_equal(values, weights[path])
