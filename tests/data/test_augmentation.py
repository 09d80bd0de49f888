"""Random changes to images: against NumPy, image by image, and as random as they are said to be."""

import pickle
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from tests.functional.cases import zoo_error
from zoo.data import cutout, in_copies, in_sequence, random_crop, random_flip, unit_range

KEY = jax.random.key(0)
BATCH, HEIGHT, WIDTH = 40, 5, 6
# No two pixels of an image alike and none of them black: where one went, can be seen.
IMAGES = np.stack(
    [
        np.random.default_rng(i).permutation(np.arange(1, 1 + HEIGHT * WIDTH * 2))
        for i in range(BATCH)
    ]
).reshape(BATCH, HEIGHT, WIDTH, 2)

AUGMENTATIONS = {
    "random_crop": partial(random_crop, padding=2),
    "random_flip": random_flip,
    "cutout": partial(cutout, size=3),
}
all_of_them = pytest.mark.parametrize("augment", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


def cropped(image: np.ndarray, down: int, right: int, padding: int) -> np.ndarray:
    """NumPy's version of the crop at one place."""
    padded = np.zeros((HEIGHT + 2 * padding, WIDTH + 2 * padding, 2), image.dtype)
    padded[padding : padding + HEIGHT, padding : padding + WIDTH] = image
    return padded[down : down + HEIGHT, right : right + WIDTH]


def blackened(image: np.ndarray, row: int, column: int, size: int) -> np.ndarray:
    """NumPy's version of the square around one pixel."""
    image = image.copy()
    top, left = row - size // 2, column - size // 2
    image[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
    return image


def found(image: np.ndarray, versions: dict) -> tuple:
    """Which of the versions an image is; some are alike, so the set of their names."""
    names = tuple(name for name, version in versions.items() if np.array_equal(image, version))
    assert names, "not a version of its image"
    return names


@pytest.mark.parametrize("padding", [1, 2])
def test_each_crop_is_a_crop_of_its_own_image(padding):
    places = set()
    for image, result in zip(
        IMAGES, np.asarray(random_crop(KEY, IMAGES, padding=padding)), strict=True
    ):
        offsets = range(2 * padding + 1)
        versions = {(d, r): cropped(image, d, r, padding) for d in offsets for r in offsets}
        places.add(found(result, versions))
    assert len(places) > 1  # each image its own draw


def test_each_flip_is_its_image_or_its_mirror_image():
    kinds = set()
    for image, result in zip(IMAGES, np.asarray(random_flip(KEY, IMAGES)), strict=True):
        kinds.add(found(result, {"kept": image, "mirrored": image[:, ::-1]}))
    assert kinds == {("kept",), ("mirrored",)}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 20])
def test_each_square_is_around_a_pixel_of_its_image(size):
    places = set()
    for image, result in zip(IMAGES, np.asarray(cutout(KEY, IMAGES, size=size)), strict=True):
        versions = {
            (row, column): blackened(image, row, column, size)
            for row in range(HEIGHT)
            for column in range(WIDTH)
        }
        places.add(found(result, versions))
    assert len(places) > 1 or size == 20


def test_crops_are_spread_evenly():
    """One bright pixel in the middle shows where its image was moved to: nine places."""
    images = np.zeros((9000, 3, 3, 1), np.uint8)
    images[:, 1, 1] = 1
    places = np.asarray(random_crop(KEY, images, padding=1)).reshape(9000, 9)
    assert (places.sum(1) == 1).all()
    assert chisquare(places.sum(0)).pvalue > 1e-3


def test_flips_are_even_and_of_one_image_each():
    images = np.tile(np.array([0, 1], np.uint8).reshape(1, 1, 2, 1), (4000, 1, 1, 1))
    mirrored = np.asarray(random_flip(KEY, images))[:, 0, 0, 0]
    assert chisquare(np.bincount(mirrored)).pvalue > 1e-3
    pairs = 2 * mirrored[::2] + mirrored[1::2]  # a draw says nothing about the next one
    assert chisquare(np.bincount(pairs, minlength=4)).pvalue > 1e-3


def test_squares_are_spread_evenly():
    """Squares of one pixel show where their middles are: twelve places."""
    places = np.asarray(cutout(KEY, np.ones((12000, 3, 4, 1), np.uint8), size=1)) == 0
    places = places.reshape(12000, 12)
    assert (places.sum(1) == 1).all()
    assert chisquare(places.sum(0)).pvalue > 1e-3


@all_of_them
def test_the_key_decides(augment):
    first, again = augment(KEY, IMAGES), augment(KEY, IMAGES)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, augment(jax.random.key(1), IMAGES))


@all_of_them
def test_compiled_is_the_same(augment):
    np.testing.assert_array_equal(jax.jit(augment)(KEY, IMAGES), augment(KEY, IMAGES))


@all_of_them
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, jnp.bfloat16])
def test_shape_and_dtype_are_kept(augment, dtype):
    result = augment(KEY, IMAGES.astype(dtype))
    assert (result.shape, result.dtype) == (IMAGES.shape, dtype)


@all_of_them
def test_no_images_are_no_images(augment):
    assert augment(KEY, IMAGES[:0]).shape == (0, HEIGHT, WIDTH, 2)


def test_a_crop_without_padding_changes_nothing():
    np.testing.assert_array_equal(random_crop(KEY, IMAGES, padding=0), IMAGES)


def test_copies_are_the_augmentation_with_keys_of_their_own():
    augment = AUGMENTATIONS["random_crop"]
    result = in_copies(augment, 3)(KEY, IMAGES)
    assert result.shape == (3 * BATCH, HEIGHT, WIDTH, 2)
    versions = np.split(np.asarray(result), 3)
    for version, key in zip(versions, jax.random.split(KEY, 3), strict=True):
        np.testing.assert_array_equal(version, augment(key, IMAGES))
    assert not np.array_equal(versions[0], versions[1])
    assert not np.array_equal(versions[1], versions[2])


def test_unit_range():
    whole = np.arange(256, dtype=np.uint8)
    result = unit_range(jnp.asarray(whole))
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, whole / 255, rtol=1e-7)
    for other in (jnp.arange(3.0), jnp.arange(3)):
        assert unit_range(other) is other


@all_of_them
def test_images_without_channels(augment):
    with zoo_error("images must have shape [B, H, W, C], got shape (40, 5, 6)."):
        augment(KEY, IMAGES[..., 0])


@pytest.mark.parametrize("padding", [-1, 1.5])
def test_a_bad_padding(padding):
    with zoo_error(f"padding must be an integer, at least 0, got {padding}."):
        random_crop(KEY, IMAGES, padding=padding)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_bad_size(size):
    with zoo_error(f"size must be a positive integer, got {size}."):
        cutout(KEY, IMAGES, size=size)


@pytest.mark.parametrize("copies", [0, 1.5])
def test_a_bad_number_of_copies(copies):
    with zoo_error(f"copies must be a positive integer, got {copies}."):
        in_copies(random_flip, copies)


def test_one_after_the_other_with_keys_of_their_own():
    both = in_sequence(partial(random_crop, padding=2), random_flip)
    crop_key, flip_key = jax.random.split(KEY)
    expected = random_flip(flip_key, random_crop(crop_key, jnp.asarray(IMAGES), padding=2))
    np.testing.assert_array_equal(both(KEY, jnp.asarray(IMAGES)), expected)
    sent = pickle.loads(pickle.dumps(both))
    np.testing.assert_array_equal(sent(KEY, jnp.asarray(IMAGES)), expected)
    with zoo_error("augments must have at least one augmentation, got none."):
        in_sequence()
