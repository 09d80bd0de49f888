"""Tables in their three forms."""

import csv
import io
import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.reports import Interval, Table

CNN = Interval(0.90594, 0.00231, n=5, standard_deviation=0.00186)
RNN = Interval(0.87123, math.nan, n=1, standard_deviation=math.nan)
TABLE = Table(
    ["model", "macro-F1", "report", "parameters"],
    [["CNN", CNN, 0.9059, np.int64(697130)], ["RNN", RNN, np.float32(0.5), None]],
    title="Fashion-MNIST",
)


def test_text():
    assert TABLE.text().splitlines() == [
        "Fashion-MNIST",
        "",
        "model           macro-F1    report    parameters",
        "-------  ---------------  --------  ------------",
        "CNN      0.9059 ± 0.0023    0.9059       697,130",
        "RNN      0.8712 (1 seed)    0.5000             –",
    ]


def test_markdown():
    assert TABLE.markdown().splitlines() == [
        "**Fashion-MNIST**",
        "",
        "| model   |        macro-F1 |   report |   parameters |",
        "|:--------|----------------:|---------:|-------------:|",
        "| CNN     | 0.9059 ± 0.0023 |   0.9059 |      697,130 |",
        "| RNN     | 0.8712 (1 seed) |   0.5000 |            – |",
    ]


def test_csv_has_full_precision_and_a_column_for_half_widths():
    assert TABLE.csv() == (
        "model,macro-F1,macro-F1 ±,report,parameters\n"
        "CNN,0.90594,0.00231,0.9059,697130\n"
        "RNN,0.87123,,0.5,\n"
    )


def test_csv_of_a_column_with_intervals_and_other_cells_stays_aligned():
    table = Table(["a", "b", "c"], [[CNN, 1, "x"], [0.5, 2, "y"], [None, 3, "z"]])
    assert table.csv() == "a,a ±,b,c\n0.90594,0.00231,1,x\n0.5,,2,y\n,,3,z\n"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("<unk> *x* [y] `z`", r"\<unk> \*x\* \[y\] \`z\`"),
        ("val_loss", "val_loss"),
        ("_x_", r"\_x\_"),
        ("__init__", r"\_\_init\_\_"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_shows_cells_as_they_are(cell, shown):
    lines = Table([cell], [[cell]], title=cell).markdown().splitlines()
    assert lines[0] == f"**{shown}**"
    assert lines[2] == f"| {shown} |".replace(f"{shown} ", f"{shown:{len(lines[2]) - 3}}")
    assert lines[4].strip("| ") == shown


def test_csv_keeps_text_as_it_is():
    cells = ["a|b", 'say "hi", twice', "two\nlines", "±"]
    table = Table(["cell"], [[cell] for cell in cells])
    assert list(csv.reader(io.StringIO(table.csv())))[1:] == [[cell] for cell in cells]


def test_text_that_looks_like_a_number_is_not_reformatted():
    assert "1e-05" in Table(["rate"], [["1e-05"], ["0.10"]]).text()
    assert "0.10" in Table(["rate"], [["1e-05"], ["0.10"]]).markdown()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9, "0.9000"),
        (9.99999, "10.0000"),
        (98.8149, "98.81"),
        (-125.0, "-125.00"),
        (0.00012345, "0.000123"),
        (1e-7, "1e-07"),
        (0.0, "0.0000"),
        (math.nan, "nan"),
        (7, "7"),
        (None, "–"),
    ],
)
def test_numbers(value, shown):
    assert Table(["x"], [[value]]).text().splitlines()[-1].strip() == shown


def test_no_rows():
    assert Table(["a", "b"], []).text() == "a    b\n---  ---"
    assert Table(["a", "b"], []).csv() == "a,b\n"
    assert Table(["a", "b"], []).markdown().splitlines()[0] == "| a   | b   |"


def test_lists_are_kept_as_tuples_and_nothing_changes():
    rows = [[1, 2]]
    table = Table(["a", "b"], rows)
    rows[0][0] = 9
    assert (table.columns, table.rows) == (("a", "b"), ((1, 2),))
    assert hash(table) == hash(Table(("a", "b"), ((1, 2),)))
    with pytest.raises(FrozenInstanceError):
        table.title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ([], [], "columns must have at least one name, got none."),
        (
            ["a", "b"],
            [[1, 2], [3]],
            "each row must have one cell for each of the 2 columns, got 1 cells in row 1: (3,).",
        ),
        (
            ["a"],
            [[[1]]],
            "each cell must be a string, a number, an Interval or None, got [1] of type list.",
        ),
    ],
)
def test_bad_input(columns, rows, message):
    with pytest.raises(ZooError) as error:
        Table(columns, rows)
    assert str(error.value) == message
