"""Scenes: labels by the table, pictures of what the labels say."""

import numpy as np
import pytest

from zoo.data import Dataset, SceneConfig, Split, cooccurrence_table, load, scenes
from zoo.errors import ZooError

# Items of one shade each, so that a scene's shades say what is in it.
SHADES = np.array([40, 80, 120, 160, 200, 240], np.uint8)
CLASSES = tuple("abcdef")


def items(first, per_class=4):
    y = np.repeat(np.arange(6), per_class).astype(np.int32)
    x = np.broadcast_to((SHADES[y] + first)[:, None, None, None], (len(y), 6, 6, 1))
    return Split(np.ascontiguousarray(x), y)


ITEMS = Dataset("shades", "made here", CLASSES, items(0), items(1))
CLEAR = SceneConfig(cell=8, smallest=4, hidden=0.0)


def made(cooccurrence="none", config=CLEAR, **options):
    options = {"train": 300, "test": 50, **options}
    return scenes(ITEMS, cooccurrence, config=config, **options)


def test_a_scene_shows_what_its_labels_say():
    data = made()
    for split, offset in ((data.train, 0), (data.test, 1)):  # test scenes are of test items
        assert split.x.shape[1:] == (16, 16, 1)
        assert (split.x.dtype, split.y.dtype) == (np.uint8, np.bool_)
        for image, labels in zip(split.x, split.y, strict=True):
            shades = {int(shade) for shade in np.unique(image)} - {0}
            assert shades == {int(shade) + offset for shade in SHADES[labels]}


def test_every_size_place_and_number_of_items_occurs():
    data = made(train=600)
    assert set(data.train.y.sum(axis=1)) == {2, 3, 4}
    assert data.train.y.any(axis=0).all()
    areas = {
        int((image == shade).sum()) for image in data.train.x for shade in np.unique(image) if shade
    }
    assert {4 * 4, 6 * 6, 8 * 8} <= areas <= {side**2 for side in range(4, 9)}
    assert (data.train.x[..., 0].max(axis=0) > 0).all()


def test_part_of_an_item_is_hidden():
    config = SceneConfig(cell=8, smallest=8, hidden=1.0, hidden_part=0.25, fewest=1, most=1)
    data = made(config=config)
    sides = set()
    for image, labels in zip(data.train.x, data.train.y, strict=True):
        (shade,) = SHADES[labels]
        rows, columns = np.nonzero(image[..., 0])
        item = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]
        assert (item == 128).sum() == 2 * 8
        assert (item == shade).sum() == 6 * 8
        sides.add(tuple((item == 128)[[0, 0, 7, 7], [0, 7, 0, 7]]))
    assert len(sides) == 4


def test_the_seed_decides():
    first, again, other = made(), made(), made(seed=1)
    np.testing.assert_array_equal(first.train.x, again.train.x)
    np.testing.assert_array_equal(first.test.y, again.test.y)
    assert (first.train.y != other.train.y).any()


def together(y, i, j):
    """How much more often i and j come together than if labels were independent."""
    return (y[:, i] & y[:, j]).mean() / (y[:, i].mean() * y[:, j].mean())


def test_the_table_says_who_comes_with_whom():
    lifts = {
        strength: made(strength, train=3000, config=SceneConfig(cell=8, smallest=8)).train.y
        for strength in ("none", "medium", "strong")
    }
    partners, others = [(0, 3), (1, 4), (2, 5)], [(0, 1), (0, 4), (2, 3)]
    mean = {
        strength: [np.mean([together(y, *pair) for pair in pairs]) for pairs in (partners, others)]
        for strength, y in lifts.items()
    }
    none, medium, strong = mean.values()
    assert none[0] == pytest.approx(none[1], abs=0.07)
    assert strong[0] > medium[0] + 0.1 > none[0] + 0.3
    # Without a table every set of a size is as likely as any other: 3 labels of 6 on average,
    # and the share of pairs is E[n (n − 1)] / (6 · 5) = (2 + 6 + 12) / 3 / 30.
    shares = [(lifts["none"][:, i] & lifts["none"][:, j]).mean() for i, j in partners + others]
    np.testing.assert_allclose(shares, 20 / 90, atol=0.03)


def test_two_items_follow_the_factors_exactly():
    """The second of two items is drawn with probabilities in proportion to the first one's row."""
    table = np.array([[1, 3, 1.0], [3, 1, 0], [1, 0, 1]])
    two = Dataset(
        "shades",
        "",
        tuple("abc"),
        *(Split(s.x[s.y < 3], s.y[s.y < 3]) for s in (ITEMS.train, ITEMS.test)),
    )
    config = SceneConfig(cell=4, smallest=4, fewest=2, most=2)
    y = scenes(two, table, train=6000, test=1, config=config).train.y
    shares = [(y[:, i] & y[:, j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    # First a (1/3): then b with 3/4, c with 1/4. First b: then a. First c: then a.
    np.testing.assert_allclose(shares, [7 / 12, 5 / 12, 0], atol=0.02)


def test_a_table_of_the_user_s_own_is_named_so():
    table = cooccurrence_table(6, "medium")
    table[0, 3] = table[3, 0] = 50
    assert "a co-occurrence table of the caller's" in made(table).source
    assert "strong co-occurrence" in made("strong").source


def test_real_digits():
    data = scenes(load("digits"), train=20, test=10)
    assert data.train.x.shape == (20, 40, 40, 1)
    assert data.name == "scenes of digits"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.ones((3, 3)), "cooccurrence must have shape (6, 6) for 6 classes, got (3, 3)."),
        (-np.ones((6, 6)), "cooccurrence must have finite factors of at least 0."),
        (np.full((6, 6), np.nan), "cooccurrence must have finite factors of at least 0."),
        ("weak", "strength must be one of ('none', 'medium', 'strong'), got 'weak'."),
    ],
)
def test_a_table_that_does_not_fit(table, message):
    with pytest.raises(ZooError) as caught:
        made(table)
    assert str(caught.value) == message


def test_a_table_that_leaves_nothing_to_choose():
    with pytest.raises(ZooError, match=r"must leave some class for a scene with a, got only zeros"):
        made(np.where(np.arange(36).reshape(6, 6) < 6, 0.0, 1.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fewest": 3, "most": 2}, "fewest and most must be in order and at most 4"),
        ({"most": 5}, "fewest and most must be in order and at most 4, the cells of the canvas"),
        ({"smallest": 21}, "smallest must be at most cell=20 pixels, got 21."),
        ({"hidden": 1.1}, "hidden must be between 0 and 1, got 1.1."),
        ({"cell": 0}, "cell must be a positive integer, got 0."),
    ],
)
def test_sizes_that_make_no_sense(options, message):
    with pytest.raises(ZooError, match=message):
        SceneConfig(**options)


def test_a_class_without_items():
    train = Split(ITEMS.train.x[4:], ITEMS.train.y[4:])
    with pytest.raises(ZooError, match=r"items must have train images of every class, got none of"):
        scenes(Dataset("shades", "", CLASSES, train, ITEMS.test), config=CLEAR, train=5, test=5)


def test_what_is_not_images_with_one_label_each():
    texts = Split(np.array(["one", "two"]), np.array([0, 1]))
    with pytest.raises(ZooError) as caught:
        scenes(Dataset("sentences", "", CLASSES, texts, texts))
    assert str(caught.value) == (
        "items must be images [N, H, W, C] with one label each, [N], got sentences with arrays of "
        "shape (2,) and (2,)."
    )
    with pytest.raises(ZooError, match=r"got scenes of shades with arrays of shape .* \(5, 6\)"):
        scenes(made(train=5, test=5))


def test_a_class_is_as_frequent_whatever_the_strength():
    """Or another strength would be another task in more than what comes together."""
    config = SceneConfig(cell=2, smallest=2)
    for strength in ("none", "medium", "strong"):
        y = made(strength, train=6000, config=config).train.y
        np.testing.assert_allclose(y.mean(axis=0), 3 / 6, atol=0.03)
        np.testing.assert_allclose(np.bincount(y.sum(axis=1))[2:] / len(y), 1 / 3, atol=0.03)


def test_more_items_than_classes():
    few = Dataset("shades", "", ("a", "b"), ITEMS.train, ITEMS.test)
    with pytest.raises(ZooError, match="most must be at most 2, the number of classes: 4"):
        scenes(few)
