"""Studies: runs that are made once, shared, continued, and compared with a reference."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy import stats

from recipes import readme
from recipes.prediction import load_model
from recipes.study import (
    Setting,
    Study,
    StudyOptions,
    choose_studies,
    describe,
    images_with_validation,
    keep_model,
    run_studies,
)
from tests.functional.cases import zoo_error
from zoo.data import load, random_crop, random_flip
from zoo.errors import ZooError
from zoo.models import weights_of
from zoo.reports import Finding
from zoo.training import TrainingConfig, evaluate

TRAINING = TrainingConfig(epochs=2, batch_size=256)


def setting(label: str, filters: int = 2, **options) -> Setting:
    return Setting(
        label, "fashion_mnist_cnn", TRAINING, {"filters": filters, "hidden": 4}, **options
    )


FILTERS = Study(
    "filters",
    "Number of filters",
    (setting("two"), setting("three", 3)),
    reference="two",
    findings=(Finding("Three are better", "test accuracy", (("three", "two"),)),),
)
# The reference of the one is a setting of the other, under another name.
WIDTH = Study("width", "Width", (setting("narrow"), setting("wide", 4)), reference="narrow")


@pytest.fixture(scope="module")
def prepared():
    return images_with_validation(load("digits"))


def run(out, studies, prepared, seeds: int = 2, **config):
    options = StudyOptions(seeds=seeds, how="in_turn", progress=False, out=out)
    config = {"dataset": "digits", "source": "here", **config}
    return run_studies("try", studies, lambda _: prepared, options, config)


@pytest.fixture(scope="module")
def done(tmp_path_factory, prepared):
    out = tmp_path_factory.mktemp("study")
    folder = run(out, (FILTERS, WIDTH), prepared)
    keep_model(folder, "filters", "three")
    return out


def test_studies_share_their_runs(done):
    metrics = json.loads((done / "metrics.json").read_text())["studies"]
    first, second = metrics["filters"]["settings"], metrics["width"]["settings"]
    assert first["two"] == second["narrow"]
    runs = sorted(path.name for path in (done / "runs").iterdir())
    assert runs == sorted({found["run"] for found in [*first.values(), *second.values()]})
    assert len(runs) == 3
    assert not list((done / "checkpoints").iterdir())


def test_the_table_is_made_of_the_metrics(done):
    figures = json.loads((done / "metrics.json").read_text())["studies"]["width"]
    with (done / "width.csv").open() as file:
        narrow, wide = csv.DictReader(file)
    assert (narrow["setting"], wide["setting"]) == ("narrow", "wide")
    ours, theirs = (figures["settings"][s]["measures"]["test accuracy"] for s in ("wide", "narrow"))
    assert float(wide["test accuracy"]) == pytest.approx(np.mean(ours))
    assert float(wide["difference"]) == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert float(wide["p, corrected"]) == pytest.approx(
        stats.ttest_rel(ours, theirs).pvalue, rel=0.1
    )
    assert narrow["difference"] == narrow["p, corrected"] == ""
    for name in ("filters.md", "width.md", "filters.png", "width.png"):
        assert (done / name).stat().st_size > 0


def test_the_finding_is_told(done):
    (found,) = json.loads((done / "metrics.json").read_text())["studies"]["filters"]["findings"]
    assert found["says"] in ("holds", "does not hold", "undecided")
    assert found["sentence"].startswith("Three are better: ")


def test_records_weights_and_the_model_belong_together(done, prepared):
    loaded = load_model(done)
    key = json.loads((done / "model.json").read_text())["run"]
    record = json.loads((done / "runs" / key / "seed-0.json").read_text())
    accuracy = evaluate(loaded.model, prepared.data.test).accuracy
    assert accuracy == pytest.approx(record["measures"]["test accuracy"])
    confusion = np.array(record["test confusion"])
    assert confusion.sum() == len(prepared.data.test.y)
    assert np.trace(confusion) / confusion.sum() == pytest.approx(accuracy)
    stored = load_file(done / "runs" / key / "seed-0.safetensors")
    for name, value in weights_of(loaded.model).items():
        np.testing.assert_array_equal(stored[name], value)
    with (done / "classes.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert float(rows["accuracy"]["F1"]) == pytest.approx(accuracy)
    assert float(rows["macro average"]["F1"]) == pytest.approx(record["measures"]["test macro-F1"])
    assert (done / "confusion.png").stat().st_size > 0


def test_finished_runs_are_not_run_again(done, prepared, monkeypatch):
    before = json.loads((done / "metrics.json").read_text())["studies"]["filters"]
    monkeypatch.setattr("recipes.study.fit_jobs", None)
    run(done, (FILTERS,), prepared)
    after = json.loads((done / "metrics.json").read_text())["studies"]
    assert after["filters"] == before
    assert "width" in after  # what an earlier command found stays


def test_an_interrupted_study_goes_on(tmp_path, prepared, monkeypatch):
    from recipes import study

    asked, fit_jobs = [], study.fit_jobs

    def interrupted(jobs, **options):
        asked.append([(job.label, list(job.seeds)) for job in jobs])
        for number, finished in enumerate(fit_jobs(jobs, **options)):
            if len(asked) == 1 and number == 1:
                raise KeyboardInterrupt
            yield finished

    monkeypatch.setattr(study, "fit_jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, (FILTERS, WIDTH), prepared, seeds=1)
    assert not (tmp_path / "metrics.json").exists()
    run(tmp_path, (FILTERS, WIDTH), prepared, seeds=2)
    # The first setting had its seed 0; the second was trained and had no record. The studies'
    # common setting is asked for once.
    assert asked == [
        [("two", [0]), ("three", [0]), ("wide", [0])],
        [("two", [1]), ("three", [0, 1]), ("wide", [0, 1])],
    ]


def test_a_study_is_told_as_soon_as_its_runs_are_finished(tmp_path, prepared, capsys):
    run(tmp_path, (FILTERS, WIDTH), prepared, seeds=1)
    said = capsys.readouterr().out
    order = ["2 of 3 runs", "Number of filters", "3 of 3 runs", "Width, 1 seed"]
    assert sorted(order, key=said.index) == order


def test_a_command_that_made_all_its_runs_knows_how_long_they_took(tmp_path, prepared):
    def commands():
        return json.loads((tmp_path / "metrics.json").read_text())["commands"]

    run(tmp_path, (FILTERS,), prepared, seeds=1)
    ((command, took),) = commands().items()
    assert command == "python -m recipes.try --seeds 1 --how in_turn"
    assert took["runs"] == 2
    assert took["seconds"] > 0
    minutes = f"{took['seconds'] / 60:.1f}"
    sentence = readme.minutes_of([{"commands": commands()}, {}])
    assert sentence == f"`{command}` made its 2 runs in {minutes} minutes."
    run(tmp_path, (FILTERS,), prepared, seeds=2)  # one of two seeds a setting was there
    assert list(commands()) == [command]
    assert readme.minutes_of([{}]) == ""


def test_a_folder_of_another_run_is_refused_with_the_difference(done, prepared):
    with zoo_error(
        f"{done} holds another run: dataset was 'digits' and is now 'mnist'. Give the same options "
        "to continue it, or another --out."
    ):
        run(done, (FILTERS,), prepared, dataset="mnist")


def test_all_that_decides_a_run_is_in_its_description(prepared):
    base = setting("a")
    assert describe(base, prepared) == describe(setting("another label"), prepared)
    flip = replace(base, augment=random_flip)
    for other in (
        setting("a", 3),
        flip,
        replace(base, augment=random_crop),
        replace(base, training=replace(TRAINING, l2=0.1)),
        replace(base, data={"length": 5}),
    ):
        assert describe(other, prepared) != describe(base, prepared)
    assert describe(flip, prepared)["augment"] == "zoo.data.augmentation.random_flip"
    vocabulary = replace(prepared, files={"tokenizer.json": "{}"})
    assert describe(base, vocabulary) != describe(base, prepared)


def test_studies_by_name():
    studies = (FILTERS, WIDTH)
    assert choose_studies(studies, "all") == studies
    assert choose_studies(studies, "width") == (WIDTH,)
    with zoo_error("unknown study 'filter': did you mean 'filters'? Known: all, filters, width."):
        choose_studies(studies, "filter")


def test_the_readme_gets_findings_and_a_page_gets_the_tables(done, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin, end = readme.STUDIES
    Path("README.md").write_text(f"before\n{begin}\nwritten before\n{end}\nafter\n")
    readme.main(readme.ReadmeOptions(studies=(done,)))
    text, page = Path("README.md").read_text(), Path("docs/studies.md").read_text()
    metrics = json.loads((done / "metrics.json").read_text())["studies"]
    assert text.startswith(f"before\n{begin}\n\nNumber of filters (`")
    assert text.endswith(f"\n\n{end}\nafter\n")
    assert "written before" not in text
    for study in metrics.values():
        assert f"`{study['command']}`" in page
        assert f"| {next(iter(study['settings']))} " in page
    for where in (text, page):
        assert f"- {metrics['filters']['findings'][0]['sentence']}" in where
        assert "digits from here" in where


def test_the_readme_has_the_table_of_a_preset(done, tmp_path, monkeypatch):
    metrics = json.loads((done / "metrics.json").read_text())
    (tmp_path / "run").mkdir()
    preset = {**metrics, "studies": {"best": metrics["studies"]["filters"]}}
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(preset))
    monkeypatch.chdir(tmp_path)
    begin, end = readme.BEST
    Path("README.md").write_text(f"{begin}\n{end}\n")
    readme.main(readme.ReadmeOptions(best=tmp_path / "run"))
    text = Path("README.md").read_text()
    assert text.startswith(f"{begin}\n\n**Number of filters, 2 seeds")
    assert "digits from here" in text


def test_bad_studies(prepared):
    with zoo_error("unknown reference 'tow': did you mean 'two'? Known: three, two."):
        replace(FILTERS, reference="tow")
    with pytest.raises(ZooError, match="study 'filters' must have a label a setting"):
        replace(FILTERS, settings=(setting("two"), setting("two", 3)))
    without = replace(prepared, data=replace(prepared.data, validation=None))
    with zoo_error("a study needs validation data, and digits has none."):
        _ = without.validation


def test_models_that_cannot_be_loaded(tmp_path):
    with pytest.raises(ZooError, match=r"must be the folder of a finished run of a preset"):
        load_model(tmp_path)
