"""Splits for validation, and the digits that are always there."""

import sys

import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data import Split, hold_out, load
from zoo.errors import MissingExtraError, ZooError

LABELS = np.repeat(np.arange(3, dtype=np.int32), (60, 30, 10))[
    np.random.default_rng(0).permutation(100)
]
# Every image is another one: its number.
SPLIT = Split(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), LABELS)


def numbers(split):
    return split.x[:, 0, 0, 0]


def test_complete_disjoint_and_in_order():
    left, out = hold_out(SPLIT, 0.2, seed=0)
    assert (len(left.y), len(out.y)) == (80, 20)
    assert sorted([*numbers(left), *numbers(out)]) == list(range(100))
    for part in (left, out):
        assert (np.diff(numbers(part).astype(int)) > 0).all()
        assert (part.x.dtype, part.y.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(part.y, LABELS[numbers(part)])


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_each_class_gives_its_share(fraction):
    left, out = hold_out(SPLIT, fraction, seed=3)
    np.testing.assert_array_equal(np.bincount(out.y), np.array([60, 30, 10]) * fraction)
    np.testing.assert_array_equal(np.bincount(left.y), np.array([60, 30, 10]) * (1 - fraction))


def test_the_seed_decides():
    first, again, other = (numbers(hold_out(SPLIT, 0.2, seed=seed)[1]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_out_of_range(fraction):
    with zoo_error(f"fraction must be between 0 and 1, got {fraction}."):
        hold_out(SPLIT, fraction, seed=0)


@pytest.mark.parametrize(
    ("labels", "fraction"), [([0, 0, 0, 1], 0.5), ([], 0.5), ([0, 0, 1, 1], 0.01)]
)
def test_too_few_examples(labels, fraction):
    split = Split(np.zeros((len(labels), 1, 1, 1), np.uint8), np.array(labels, np.int32))
    with pytest.raises(ZooError, match=rf"^split cannot be divided by fraction={fraction}: \w"):
        hold_out(split, fraction, seed=0)


def test_digits():
    data = load("digits")
    assert (data.name, data.classes) == ("digits", tuple("0123456789"))
    assert data.source == "scikit-learn, which holds it"
    assert (data.train.x.shape, data.test.x.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    for split in (data.train, data.test):
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.int32)
        assert len(split.y) == len(split.x)
        # 17 shades; half a step between two bytes is rounded to the even one
        assert set(np.unique(split.x)) == {round(shade * 255 / 16) for shade in range(17)}
        assert np.bincount(split.y).min() > 0.09 * len(split.y)


def test_digits_are_those_of_scikit_learn_each_once():
    from sklearn.datasets import load_digits

    data, bunch = load("digits"), load_digits()
    ours = np.concatenate([data.train.x, data.test.x]).reshape(-1, 64)
    theirs = np.array([[round(s * 255 / 16) for s in range(17)][int(v)] for v in bunch.data.flat])
    rows = np.column_stack([ours, np.concatenate([data.train.y, data.test.y])])
    expected = np.column_stack([theirs.reshape(-1, 64), bunch.target])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, expected.tolist()))


@pytest.mark.parametrize("module", ["sklearn.datasets", "sklearn.model_selection"])
def test_without_scikit_learn_the_extra_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"run pip install 'zoo\[data\]'"):
        load("digits")
