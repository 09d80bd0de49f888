from zoo.training.history import Epoch
from zoo.training.progress import Bar, Lines, shown


def report(progress):
    progress.start(0, 20)
    progress.advance(10, 1.25, 0.5)
    progress.end_epoch(Epoch(1, 10, 1.25, 0.5, 1.0, 0.75, 1.0, 0.9))
    progress.advance(20, 0.5, 0.875)
    progress.close()


def test_lines_where_there_is_no_terminal(capsys):
    report(Lines("seed 3", every_seconds=0))
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("seed 3: step 10 of 20, loss 1.2500, accuracy 0.5000, ")
    assert first.endswith(" s left")
    assert last == (
        "seed 3: step 20 of 20, loss 0.5000, accuracy 0.8750, validation accuracy 0.7500, 0 s left"
    )


def test_lines_come_only_now_and_then(capsys):
    report(Lines("seed 3", every_seconds=1000))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_bar_has_the_figures(capsys):
    report(Bar("seed 3"))
    last = capsys.readouterr().err.split("\r")[-1]
    for part in ("seed 3: 100%", "20/20", "loss=0.5000", "accuracy=0.8750", "validation=0.7500"):
        assert part in last


def test_a_bar_of_a_run_that_ends_before_its_first_step():
    Bar("seed 3").close()


def test_captured_output_is_no_terminal():
    assert isinstance(shown("x"), Lines)
