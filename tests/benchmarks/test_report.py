"""Tables, pages and pictures from made-up times."""

import json
from dataclasses import asdict, replace

import pytest

from benchmarks import charts, page, report, targets
from benchmarks.cases import all_cases
from benchmarks.results import CaseResult, Entry, Results, Spread
from zoo.errors import ZooError
from zoo.reports import RunFolder

COMMAND = "python -m benchmarks --out runs/a"


def timed(*, train, predict, **options):
    return Entry(samples={"train": train, "predict": predict}, **options)


@pytest.fixture
def results():
    entries = {
        "zoo": timed(
            train=[2.0, 1.0, 3.0],
            predict=[0.5],
            start={"import": 1.0, "build": 0.25, "first step": 2.0},
            compiling={"train": {"trace": 0.5, "lower": 0.25, "compile": 1.25}},
            about={
                "versions": {"zoo": "0.1.0"},
                "peak bytes": 300_000_000,
                "resident bytes after import": 100_000_000,
            },
        ),
        "keras_jax": timed(train=[8.0, 8.0], predict=[0.25]),
        "torch": timed(train=[4.0], predict=[1.0]),
        "equinox": Entry("missing", "pip install equinox"),
        "flax_nnx": Entry("crashed", "its process ended with exit code -11"),
        "haiku": Entry("unsupported", "Haiku has no LSTM with relu."),
    }
    work = {"train": {"flops": 2e6, "bytes": 5e5}, "predict": {"flops": 1e6, "bytes": 1e5}}
    model = CaseResult(
        "a_model", "models", 32, ("train", "predict"), entries, work, command=COMMAND, seconds=90
    )
    cases = {"a_model": model}
    for axis, sizes in (("T", (128, 256)), ("B", (1, 2))):
        for size in sizes:
            entry = Entry(samples={"forward": [size / 4], "gradient": [size / 2]})
            cases[f"lstm_{axis}{size}"] = CaseResult(
                f"lstm_{axis}{size}",
                "scaling",
                32,
                ("forward", "gradient"),
                {"zoo": entry},
                size=(axis, size),
                command=f"{COMMAND} --cases scaling",
            )
    seeds = Entry(samples={"one seed": [10.0], "five seeds": [31.0]})
    cases["seeds"] = CaseResult(
        "seeds", "seeds", 128, ("one seed", "five seeds"), {"zoo": seeds}, command=COMMAND
    )
    about = {"cpu": "A processor", "cores": 2, "python": "3.11.7"}
    return Results(about, "cpu", 2, {"flops": 2e9, "bytes": 1e9}, cases)


def test_the_spread_of_samples():
    assert Spread.of([4.0, 1.0, 3.0, 2.0, 5.0]) == (1, 2, 3, 4, 5)


def test_the_table_has_medians_quartiles_and_the_ratio_to_the_best_peer(results):
    table = report.speed_table(results, "models")
    assert table.columns == (
        "case (batch)",
        "ms of",
        "zoo",
        "Keras / JAX",
        "PyTorch",
        "Equinox",
        "Flax nnx.RNN",
        "Haiku",
        "best peer",
        "zoo ÷ best peer",
    )
    ours, keras, torch = "2 (1.5 to 2.5)", "8 (8 to 8)", "4 (4 to 4)"
    assert table.rows[0] == (
        *("a_model (32)", "train", ours, keras, torch),
        *("–", "crashed", "–", "PyTorch", "0.50"),
    )
    assert table.rows[1][-2:] == ("Keras / JAX", "2.00")


def test_without_peers_there_is_no_ratio(results):
    results.cases["a_model"].entries = {"zoo": results.cases["a_model"].entries["zoo"]}
    assert report.speed_table(results, "models").rows[0][-2:] == ("–", "–")


def test_a_crash_of_ours_leaves_no_ratio(results):
    results.cases["a_model"].entries["zoo"] = Entry("crashed", "an error")
    assert report.speed_table(results, "models").rows[0][-1] == "–"
    assert "zoo crashed: an error (a_model)" in report.notes(results)
    assert not report.floor_table(results).rows


def test_every_dash_has_its_reason(results):
    assert report.notes(results) == [
        "Equinox is not installed: `pip install equinox`",
        "Flax nnx.RNN crashed: its process ended with exit code -11 (a_model)",
        "Haiku cannot: Haiku has no LSTM with relu. (a_model)",
    ]


def test_start_memory_and_compiling(results):
    assert report.start_table(results).rows == (
        ("a_model", "zoo", "3.2", "1.0", "0.2", "2.0", "300", "200", None),
    )
    assert report.compile_table(results).rows == (
        ("a_model", "train", "zoo", "0.50", "0.25", "1.25", "2"),
    )


def test_the_floor_and_our_share_of_it(results):
    # 2 Mflop at 2 Gflop/s is 1 ms, half of our 2; 0.5 MB at 1 GB/s would be 0.5 ms.
    row = report.floor_table(results).rows[0]
    assert row == ("a_model (32)", "train", "2.0", "0.5", "1", "2", "50%")


def test_scaling_and_seeds(results):
    rows = report.scaling_table(results).rows
    assert rows[0] == ("T = 128", "forward", "32 (32 to 32)", "250")
    results.cases["lstm_T256"].entries["zoo"].samples["gradient"] = [130.0]
    assert report.growth_sentences(results) == (
        "From 128 to 256 steps, 2 times as many, zoo's forward pass took 2 and its gradient 2.03 "
        "times as long. From 1 to 2 rows, 2 times as many, zoo's forward pass took 2 and its "
        "gradient 2 times as long."
    )
    assert report.seeds_sentence(results).startswith(
        "Five seeds of mnist_lstm at once took 3.10 times as long as one: 31.0 against 10.0 ms"
    )
    del results.cases["lstm_T128"], results.cases["lstm_B1"]
    assert report.growth_sentences(results) == ""


def test_targets_are_held_against_what_was_measured(results):
    rows = {row[0]: row[1:] for row in report.target_table(results).rows}
    assert rows == {
        "seeds (128)": ("five seeds", "31", "one seed", "10", "3.10", "3.50", "yes", "–", "–")
    }
    model = results.cases.pop("a_model")
    results.cases["mnist_lstm"] = replace(model, case="mnist_lstm")
    gru = {"forward": [1.0], "gradient": [2.0]}
    torch = Entry(samples={"forward": [1.5], "gradient": [2.0]})
    keras = Entry(samples={"forward": [0.1], "gradient": [0.1]})
    entries = {"zoo": Entry(samples=gru), "torch": torch, "keras_jax": keras}
    results.cases["gru"] = CaseResult("gru", "layers", 32, tuple(gru), entries)
    assert {row[:2]: row[2:] for row in report.target_table(results).rows if row[0][0] != "s"} == {
        ("mnist_lstm (32)", "train"): ("2", "PyTorch", "4", "0.50", "0.90", "yes", "1", "2.0"),
        ("mnist_lstm (32)", "predict"): (
            *("0.5", "Keras / JAX", "0.25", "2.00", "0.90", "no", "0.5", "1.0"),
        ),
        ("gru (32)", "forward"): ("1", "PyTorch", "1.5", "0.67", "0.70", "yes", "–", "–"),
        ("gru (32)", "gradient"): ("2", "PyTorch", "2", "1.00", "0.70", "no", "–", "–"),
    }
    assert "### What was to be reached\n" in report.markdown(results)
    assert "zoo ÷ theirs" in report.text(results)
    results.device = "gpu"  # there, only the seeds have a target, and another one
    (row,) = report.target_table(results).rows
    assert row[5:8] == ("3.10", "1.50", "no")


def test_every_target_is_of_a_case():
    known = all_cases()
    assert {known[name].group for name in targets.TRAIN} == {"models"}
    assert {known[name].group for name in targets.LAYERS} == {"layers"}


def test_the_page_names_its_commands_and_its_machine(results):
    text = report.markdown(results)
    longer = f"{COMMAND} --cases scaling"
    assert text.startswith(
        f"```sh\n{COMMAND:<{len(longer)}}  # 1.5 minutes\n{longer}  # 0.0 minutes\n```"
    )
    assert "A processor, 2 of 2 cores, device cpu, Python 3.11.7, zoo 0.1.0." in text
    assert "reaches 2 Gflop/s" in text
    for heading in ("Models", "As sequence and batch grow", "Several seeds", "Dashes"):
        assert f"### {heading}\n" in text
    assert "### Layers" not in text  # none was measured
    for line in report.notes(results):
        assert line in text
        assert line in report.text(results)


def test_a_busy_machine_is_told(results):
    assert "Other programs" not in report.markdown(results)
    for case, share in zip(results.cases.values(), (0.02, 0.6, 0.3), strict=False):
        case.others = share
    said = (
        "Other programs used up to 60% of the machine before a case (half of the time 30% or more)"
    )
    assert said in report.markdown(results)
    assert said in report.text(results)


def test_json_gives_back_what_was_measured(results, tmp_path):
    folder = RunFolder(tmp_path)
    folder.save_json("results.json", asdict(results))
    again = Results.of(folder.load_json("results.json"))
    assert report.markdown(again) == report.markdown(results)
    assert json.loads((tmp_path / "results.json").read_text())["threads"] == 2


def test_pictures(results):
    figure = charts.speed_figure(results)
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["a_model (32), train", "a_model (32), predict"]
    medians = {
        round(float(line.get_xdata()[0]), 3) for line in axes.lines if len(line.get_xdata()) == 1
    }
    assert medians == {1.0, 4.0, 2.0, 0.5}
    for figure in (charts.roofline_figure(results), charts.scaling_figure(results)):
        figure.canvas.draw()
    roof, *marks = charts.roofline_figure(results).axes[0].lines
    assert max(roof.get_ydata()) == 2  # Gflop/s; and the slope before it can be seen
    assert min(roof.get_ydata()) < 1
    assert [mark.get_markerfacecolor() == "none" for mark in marks] == [True, False]
    forward = charts.scaling_figure(results).axes[0].lines[0]
    assert list(forward.get_xdata()) == [128, 256]
    assert list(forward.get_ydata()) == [32, 64]


def test_the_page_in_the_repository(results, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = RunFolder(tmp_path / "run")
    run.save_json("results.json", asdict(results))
    run.save_figure("speed.png", charts.speed_figure(results))
    (tmp_path / "benchmarks").mkdir()
    page.PAGE.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    assert page.main(["run"]) == 0
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "](../docs/benchmarks-speed.png)" in text
    assert (tmp_path / "docs" / "benchmarks-speed.png").stat().st_size > 1000
    assert page.main(["nowhere"]) == 2
    assert "error: nowhere must be a folder of python -m benchmarks" in capsys.readouterr().err
    page.PAGE.write_text("no markers", encoding="utf-8")
    with pytest.raises(ZooError, match="must have the markers"):
        page.write_page(run.path)
