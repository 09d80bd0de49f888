"""The command: mistakes, crashes, interrupts, and one run from end to end."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import rounds
from benchmarks.results import CaseResult, Entry
from benchmarks.rounds import QUICK, Settings, measure_case
from tests.benchmarks.cases import CASES

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(threads=1, **QUICK)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "mnist_lst"], "unknown case 'mnist_lst': did you mean 'mnist_lstm'"),
        (["--peers", "pytorch"], "unknown peer 'pytorch': did you mean 'torch'"),
        (["--measures", "prdict"], "unknown measure 'prdict': did you mean 'predict'"),
        (["--cases", "gru", "--measures", "train"], "measures must have one that the cases"),
        (["--threads", "0"], "threads must be a positive integer, got 0."),
        (["--threads", "4096"], "threads must be at most the"),
        (["--out", "pyproject.toml/run"], "cannot be created or written to"),
        (["--device", "gpus"], "invalid choice 'gpus'"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stopped:
        command.run(arguments)
    said = capsys.readouterr()
    assert stopped.value.code == 2
    # The parser of options draws a box around what it says.
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", said.err + said.out).split())


def test_a_device_that_is_not_there(tmp_path):
    done = run("--device", "tpu", "--cases", "gru", "--peers", "none", "--out", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("error: device must be one that JAX has here, got 'tpu': ")
    assert len(done.stderr.splitlines()) == 1


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        command.run(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for words in ("--cases", "--peers", "--device", "--threads", "--quick", "--out", "dash"):
        assert words in said


def test_one_case_from_end_to_end(tmp_path):
    arguments = ["--quick", "--cases", "simple_rnn", "--peers", "flax_nnx", "--threads", "1"]
    done = run(*arguments, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "simple_rnn (32)  forward" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    case = results["cases"]["simple_rnn"]
    # With the variable of this session that decides how many devices ours has.
    assert case["command"].startswith(
        "JAX_NUM_CPU_DEVICES=2 python -m benchmarks --quick --cases simple_rnn"
    )
    for name in ("zoo", "flax_nnx"):
        entry = case["entries"][name]
        assert entry["status"] == "measured"
        assert all(len(entry["samples"][m]) == QUICK["rounds"] for m in ("forward", "gradient"))
        assert entry["compiling"]["gradient"]["compile"] > 0
        assert entry["about"]["threads"] == 1
    assert case["entries"]["flax_nnx"]["error"].keys() == {"outputs", "gradient"}
    assert results["ceilings"]["flops"] > 0
    assert "simple\\_rnn" not in (tmp_path / "results.md").read_text()
    assert "simple_rnn (32)" in (tmp_path / "results.md").read_text()
    for picture in ("speed.png", "roofline.png"):
        assert (tmp_path / picture).stat().st_size > 1000
    # Another number of threads is another measurement.
    with pytest.raises(SystemExit):
        command.run(["--quick", "--cases", "gru", "--threads", "2", "--out", str(tmp_path)])


@pytest.fixture
def in_this_process(monkeypatch):
    """A worker that answers from this process, where the small cases are known."""
    from benchmarks.worker import Worker

    class Here:
        dies: tuple[str, str] | None = None

        def __init__(self, participant, folder, settings):
            self.worker = Worker(participant, folder, settings.device)

        def ask(self, do, **options):
            if self.dies == (self.worker.participant, do):
                raise rounds.FailedError("Died", "its process ended with exit code -11")
            try:
                return getattr(self.worker, do)(**options)
            except Exception as error:
                raise rounds.FailedError(type(error).__name__, str(error)) from error

        def close(self):
            pass

    monkeypatch.setattr(rounds, "Process", Here)
    return Here


@pytest.mark.usefixtures("in_this_process")
def test_a_case_is_checked_and_timed_in_turns():
    result = measure_case(CASES["mnist_lstm"], ["flax_nnx"], SETTINGS)
    for entry in result.entries.values():
        assert entry.status == "measured"
        assert {m: len(samples) for m, samples in entry.samples.items()} == {
            "train": 2,
            "predict": 2,
        }
        assert entry.start.keys() == {"import", "build", "first step"}
    assert result.entries["flax_nnx"].error.keys() == {"outputs", "losses"}
    assert result.ratio("train") > 0
    assert result.work["train"]["flops"] > 0


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("case", "measure"), [("mnist_lstm", "predict"), ("gru", "forward")])
def test_only_what_is_asked_for_is_compiled_and_timed(case, measure):
    settings = replace(SETTINGS, measures=(measure,))
    result = measure_case(CASES[case], ["flax_nnx"], settings)
    for entry in result.entries.values():
        assert entry.samples.keys() == entry.compiling.keys() == {measure}
        assert entry.start.keys() == {"import", "build"}
    assert result.entries["flax_nnx"].error.keys() == {"outputs"}


@pytest.mark.parametrize("do", ["build", "losses", "time", "about"])
def test_a_peer_that_crashes_has_a_row_and_the_rest_goes_on(in_this_process, monkeypatch, do):
    monkeypatch.setattr(in_this_process, "dies", ("flax_nnx", do))
    result = measure_case(CASES["mnist_lstm"], ["flax_nnx"], SETTINGS)
    entry = result.entries["flax_nnx"]
    assert (entry.status, entry.samples) == ("crashed", {})
    assert entry.note == "its process ended with exit code -11"
    assert result.entries["zoo"].samples["predict"]
    assert result.ratio("train") is None


def test_nothing_is_compared_with_a_crash_of_ours(in_this_process, monkeypatch):
    monkeypatch.setattr(in_this_process, "dies", ("zoo", "outputs"))
    result = measure_case(CASES["gru"], ["flax_nnx"], SETTINGS)
    assert result.entries["zoo"].status == "crashed"
    assert result.entries["flax_nnx"].note == "there is nothing of ours to check it against"


def test_a_model_that_cannot_be_made_has_a_row():
    def broken(*, rngs):  # noqa: ARG001
        raise TypeError("no such size")

    result = measure_case(replace(CASES["gru"], make=broken), ["flax_nnx"], SETTINGS)
    assert result.entries == {"zoo": Entry("crashed", "TypeError: no such size")}
    assert result.others is None or 0 <= result.others <= 1


@pytest.mark.usefixtures("in_this_process")
def test_a_peer_that_computes_something_else_is_not_timed(monkeypatch):
    load = np.load

    def moved(file, **options):
        array = load(file, **options)
        return array * 1.01 if "outputs-flax_nnx" in str(file) else array

    monkeypatch.setattr(rounds.np, "load", moved)
    entry = measure_case(CASES["gru"], ["flax_nnx"], SETTINGS).entries["flax_nnx"]
    assert (entry.status, entry.samples) == ("disagrees", {})
    assert entry.note == "its outputs differ from ours by 1.0e-02"


@pytest.mark.usefixtures("in_this_process")
def test_what_no_peer_can_build_has_our_row_alone():
    result = measure_case(CASES["cnn_rnn"], ["flax_nnx"], SETTINGS)
    assert result.entries["zoo"].samples["train"]
    assert result.entries["flax_nnx"].status == "unsupported"
    assert "computes outside its layers" in result.entries["flax_nnx"].note


def test_a_process_that_dies_says_how(tmp_path):
    process = rounds.Process("zoo", tmp_path, SETTINGS)
    process._process.kill()
    with pytest.raises(rounds.FailedError, match="ended with exit code -9"):
        process.ask("build")
    process.close()


def test_a_process_that_cannot_says_why(tmp_path):
    with rounds.Process("zoo", tmp_path, SETTINGS) as process:
        with pytest.raises(rounds.FailedError, match="No such file or directory"):
            process.ask("build")
        with pytest.raises(rounds.FailedError):  # and still answers
            process.ask("build")


def test_an_interrupt_leaves_what_is_finished(tmp_path, monkeypatch, capsys):
    def measure(case, peers, settings):  # noqa: ARG001
        if case.name != "gru":
            raise KeyboardInterrupt
        entry = Entry(samples={"forward": [1.0], "gradient": [2.0]})
        return CaseResult(
            case.name, case.group, case.batch, ("forward", "gradient"), {"zoo": entry}
        )

    monkeypatch.setattr(command, "measure_case", measure)
    monkeypatch.setattr(command, "ceilings", lambda _: {"flops": 1.0, "bytes": 1.0})
    with pytest.raises(SystemExit) as stopped:
        command.run(["--cases", "gru", "gru_rows", "--peers", "none", "--out", str(tmp_path)])
    assert stopped.value.code == 130
    assert "interrupted; the cases that were finished are written" in capsys.readouterr().err
    assert json.loads((tmp_path / "results.json").read_text())["cases"].keys() == {"gru"}
    assert "gru (32)" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "speed.png").exists()


def test_a_second_command_adds_its_cases(tmp_path, monkeypatch):
    def measure(case, peers, settings):  # noqa: ARG001
        entry = Entry(samples={"forward": [1.0], "gradient": [2.0]})
        return CaseResult(
            case.name, case.group, case.batch, ("forward", "gradient"), {"zoo": entry}
        )

    monkeypatch.setattr(command, "measure_case", measure)
    rates = iter([{"flops": 2.0, "bytes": 1.0}, {"flops": 1.0, "bytes": 3.0}])
    monkeypatch.setattr(command, "ceilings", lambda _: next(rates))
    for case in ("gru", "lstm"):
        command.run(["--cases", case, "--peers", "none", "--out", str(tmp_path)])
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["cases"].keys() == {"gru", "lstm"}
    assert results["ceilings"] == {"flops": 2.0, "bytes": 3.0}


def test_participants_have_no_cache_and_no_more_threads_than_asked(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "somewhere")
    variables = rounds.environment_of(Settings(threads=3))
    assert "JAX_COMPILATION_CACHE_DIR" not in variables
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["JAX_PLATFORMS"] == "cpu"
    assert "JAX_PLATFORMS" not in rounds.environment_of(Settings(device="gpu"))
