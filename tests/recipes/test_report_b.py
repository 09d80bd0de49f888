"""The recipes of report B, from end to end on a few sentences and on digits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from flax import nnx
from PIL import Image

import zoo
from recipes import cifar10_cnn, nusax_lstm, nusax_rnn, nusax_svm
from recipes.cifar10_cnn import CIFAR10Options
from recipes.nusax import NusaXOptions, PredictOptions, predict_text, prepare_texts
from recipes.nusax_lstm import LSTMOptions
from recipes.nusax_svm import COSTS
from recipes.study import describe
from tests.functional.cases import zoo_error
from zoo.explain import count_parameters
from zoo.reports import RunFolder

ROOT = Path(__file__).parents[2]
NAMES = ["negative", "neutral", "positive"]
WORDS = (["buruk", "mahal", "kotor"], ["hari", "ini", "dia"], ["enak", "murah", "bersih"])


def write_sentences(root: Path) -> None:
    """Sentences whose words tell their class, as the Hub has them."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)}
    )
    rng = np.random.default_rng(0)
    for split, count in (("train", 96), ("validation", 12), ("test", 12)):
        labels = [i % 3 for i in range(count)]
        texts = [" ".join(rng.choice(WORDS[label], rng.integers(2, 6))) for label in labels]
        path = root / "indonlp" / "NusaX-senti" / "ind" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"text": texts, "label": labels}
        table = pyarrow.Table.from_pydict(content, schema=features.arrow_schema)
        pyarrow.parquet.write_table(table, path)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("mirror")
    write_sentences(root)
    return {"ZOO_DATA_DIR": str(root), "ZOO_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(autouse=True)
def set_environment(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def command(environment, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **environment, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )


QUICK = {"progress": False, "how": "in_turn", "epochs": 1, "seeds": 1}


@pytest.fixture(scope="module")
def text_run(tmp_path_factory, environment) -> Path:
    out = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        nusax_lstm.main(LSTMOptions(**{**QUICK, "epochs": 25}, length=6, out=out))
    return out


def test_a_preset_learns_and_has_its_reports(text_run):
    figures = json.loads((text_run / "metrics.json").read_text())["studies"]["report"]
    (setting,) = figures["settings"].values()
    assert setting["measures"]["test accuracy"][0] > 0.9
    own = text_run / "runs" / setting["run"]
    description = json.loads((own / "config.json").read_text())
    assert description["options"]["input_shape"] == [6]
    assert description["classes"] == NAMES
    for path in (
        own / "tokenizer.json",
        own / "seed-0.safetensors",
        text_run / "classes.md",
        text_run / "confusion.png",
        text_run / "report.png",
    ):
        assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("recipe", "presets"),
    [(nusax_lstm, tuple(nusax_lstm.PRESETS.values())), (nusax_rnn, (nusax_rnn.REPORT,))],
    ids=["nusax_lstm", "nusax_rnn"],
)
def test_every_setting_of_every_study_can_be_prepared_and_is_one_run(recipe, presets):
    _, prepare = prepare_texts(NusaXOptions(progress=False))
    for study in (*recipe.STUDIES, *presets):
        found = [json.dumps(describe(s, prepare(s)), sort_keys=True) for s in study.settings]
        assert len(set(found)) == len(found), study.name
        labels = {setting.label for setting in study.settings}
        for finding in study.findings:
            named = {name for pair in finding.higher for name in pair if isinstance(name, str)}
            assert named <= labels


def test_the_studies_of_the_report_are_all_there():
    assert [study.name for study in nusax_lstm.STUDIES[:3]] == ["layers", "units", "direction"]
    assert [study.name for study in nusax_rnn.STUDIES[:3]] == ["layers", "units", "direction"]
    names = [study.name for study in cifar10_cnn.STUDIES]
    assert names[:4] == ["layers", "filters", "kernel", "pooling"]
    for recipe in (nusax_lstm, cifar10_cnn):
        assert {"learning", "regularisation"} <= {study.name for study in recipe.STUDIES}


def test_the_best_plain_cnn_is_of_the_family():
    (setting,) = cifar10_cnn.PRESETS["best"].settings
    model = nnx.eval_shape(
        lambda: zoo.create_model(setting.model, rngs=nnx.Rngs(0), **setting.options)
    )
    assert count_parameters(model) <= 1_500_000


def test_a_study_of_texts(tmp_path):
    nusax_rnn.main(NusaXOptions(**QUICK, study="direction", length=6, out=tmp_path))
    figures = json.loads((tmp_path / "metrics.json").read_text())["studies"]["direction"]
    assert list(figures["settings"]) == ["one direction", "both directions"]
    assert figures["findings"][0]["says"] == "undecided"  # one seed decides nothing


def predict(environment, run: Path, text: str) -> subprocess.CompletedProcess[str]:
    return command(environment, "recipes.nusax_lstm", "predict", str(run), text)


def test_a_sentence_s_probabilities(environment, text_run):
    done = predict(environment, text_run, "Enak, murah, bersih!")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][1] == "positive"
    assert sorted(name for _, name in lines) == sorted(NAMES)
    assert sum(float(share) for share, _ in lines) == pytest.approx(1, abs=3e-4)

    long = predict(environment, text_run, "enak " * 9)
    assert long.returncode == 0
    assert long.stderr == "note: the text has 9 pieces and the model reads the first 6.\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "text must have at least one word, got ' '."),
        (
            "漢字 λόγος",
            "text must have at least one word that came up in training, got '漢字 λόγος': is it in "
            "another language or script?",
        ),
    ],
    ids=["empty", "another script"],
)
def test_sentences_that_cannot_be_read(environment, text_run, text, message):
    done = predict(environment, text_run, text)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")


def test_a_vocabulary_of_another_model_is_refused(text_run, tmp_path):
    key = json.loads((text_run / "model.json").read_text())["run"]
    copy = tmp_path / "run"
    (copy / "runs" / key).mkdir(parents=True)
    RunFolder(copy).save_json("model.json", {"run": key})
    for path in (text_run / "runs" / key).iterdir():
        (copy / "runs" / key / path.name).write_bytes(path.read_bytes())
    predict_text(PredictOptions(copy, "enak"))
    vocabulary = copy / "runs" / key / "tokenizer.json"
    content = vocabulary.read_text().replace("enak", "kane")
    vocabulary.write_text(content)
    with zoo_error(
        f"{vocabulary} must be the vocabulary that the model was trained with, got another one."
    ):
        predict_text(PredictOptions(copy, "enak"))


def test_the_best_preset_learns_and_predicts(tmp_path, capsys):
    options = LSTMOptions(**{**QUICK, "epochs": 25}, preset="best", length=6, out=tmp_path)
    nusax_lstm.main(options)
    figures = json.loads((tmp_path / "metrics.json").read_text())["studies"]["best"]
    linear = figures["settings"][nusax_lstm.BEST]
    assert linear["measures"]["test accuracy"][0] > 0.9
    own = RunFolder.existing(tmp_path / "runs" / linear["run"])
    pieces = len(json.loads((own.path / "tfidf.json").read_text())["vocabulary"])
    assert own.load_json("config.json")["options"]["input_shape"] == [pieces]
    capsys.readouterr()
    predict_text(PredictOptions(tmp_path, "Enak, murah, bersih!" * 9))  # longer than 6 words
    out, err = capsys.readouterr()
    assert out.splitlines()[0].endswith("positive")
    assert err == ""


def test_images_from_training_to_prediction(environment, tmp_path):
    options = CIFAR10Options(**QUICK, dataset="digits", budget="small", out=tmp_path / "run")
    cifar10_cnn.main(options)
    Image.fromarray(np.full((20, 30), 128, np.uint8)).save(tmp_path / "grey.png")
    run = str(tmp_path / "run")
    done = command(environment, "recipes.cifar10_cnn", "predict", run, str(tmp_path / "grey.png"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 10
    (tmp_path / "no.png").write_text("no image")
    bad = command(environment, "recipes.cifar10_cnn", "predict", run, str(tmp_path / "no.png"))
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == (
        f"error: predict: the image in {tmp_path / 'no.png'} is damaged: no image format that "
        "Pillow knows.\n"
    )
    absent = tmp_path / "absent.png"
    gone = command(environment, "recipes.cifar10_cnn", "predict", run, str(absent))
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr == (
        f"error: {absent} cannot be used (No such file or directory): check the path, and that you "
        "may use it.\n"
    )


@pytest.mark.parametrize("options", [LSTMOptions, CIFAR10Options])
def test_a_study_and_a_preset_are_not_asked_for_at_once(options):
    with zoo_error(
        "study and preset exclude each other, got study 'layers' and preset 'best': a study has "
        "its own settings."
    ):
        options(study="layers", preset="best")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("recipes.nusax_lstm", "--study", "layer"),
            "unknown study 'layer': did you mean 'layers'?",
        ),
        (("recipes.nusax_rnn", "--lang", "xyz"), "unknown language of NusaX 'xyz'"),
    ],
    ids=["study", "language"],
)
def test_mistakes_at_the_command_line(environment, tmp_path, words, message):
    done = command(environment, *words, "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_svm_is_chosen_by_validation_and_measured_on_the_test_split(capsys):
    nusax_svm.main(nusax_svm.SVMOptions(progress=False))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("nusax-ind: 96 training, 12 validation and 12 test sentences, from ")
    scores = {tuple(line.rsplit(maxsplit=2)[:2]): line.split()[-1] for line in lines[4:19]}
    assert set(scores) == {(counted, f"{c:g}") for counted in nusax_svm.COUNTED for c in COSTS}
    best = max(scores, key=lambda name: float(scores[name]))
    assert lines[20] == f"SVM on {best[0]}, C = {best[1]}, on the test split"
    (accuracy,) = [line.split()[-2:] for line in lines if line.startswith("accuracy")]
    assert accuracy == ["1.0000", "12"]  # each word is of one class only
