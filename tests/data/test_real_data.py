"""The real data sets, where this machine has them."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import load
from zoo.data.catalogue import CATALOGUE

# Read before any test changes it.
MIRROR = os.environ.get("ZOO_DATA_DIR")


def from_the_mirror(name, monkeypatch):
    dataset = CATALOGUE[name]
    if MIRROR is None or not Path(MIRROR, dataset.repository, dataset.config).is_dir():
        pytest.skip(f"the data set {dataset.repository} is not in a ZOO_DATA_DIR")
    monkeypatch.setenv("ZOO_DATA_DIR", MIRROR)
    return load(name, progress=False)


def check(data, train, test, shape):
    assert (data.train.x.shape, data.test.x.shape) == ((train, *shape), (test, *shape))
    for split in (data.train, data.test):
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.int32)
        assert (split.x.min(), split.x.max()) == (0, 255)
        assert len(split.y) == len(split.x)


def test_mnist(monkeypatch):
    data = from_the_mirror("mnist", monkeypatch)
    check(data, 60_000, 10_000, (28, 28, 1))
    # As published: the digits in the order of the training file, and how many of each there are.
    assert data.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.train.y).tolist() == [
        *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
    ]
    assert np.bincount(data.test.y).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # The published file of training images, after its header of 16 bytes.
    header = b"".join(n.to_bytes(4, "big") for n in (0x803, 60_000, 28, 28))
    digest = hashlib.md5(header + data.train.x.tobytes(), usedforsecurity=False)
    assert digest.hexdigest() == "6bbc9ace898e44ae57da46a324031adb"


def test_cifar10(monkeypatch):
    data = from_the_mirror("cifar10", monkeypatch)
    check(data, 50_000, 10_000, (32, 32, 3))
    assert np.bincount(data.train.y).tolist() == [5000] * 10
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    # Published means of the three channels of the training images.
    means = data.train.x.mean((0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-3)


def test_fashion_mnist():
    dataset = CATALOGUE["fashion_mnist"]
    if not Path(dataset.idx_folder).is_dir():
        pytest.skip(f"the system package {dataset.package} is not installed")
    data = load("fashion_mnist")
    assert data.source == "the system package dataset-fashion-mnist"
    check(data, 60_000, 10_000, (28, 28, 1))
    assert np.bincount(data.train.y).tolist() == [6000] * 10
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    # Published mean and standard deviation of the training images.
    np.testing.assert_allclose(data.train.x.mean() / 255, 0.2860, atol=5e-5)
    np.testing.assert_allclose(data.train.x.std() / 255, 0.3530, atol=5e-5)
