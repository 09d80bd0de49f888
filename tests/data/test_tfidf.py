"""Texts as weighted counts of their words and n-grams."""

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data import TfidfConfig, TfidfEncoder
from zoo.errors import ZooError

TEXTS = ["Enak, enak!", "makan tidak enak", "makan"]
CONFIG = TfidfConfig(shortest=3, longest=3)


def pieces(text: str) -> Counter[str]:
    """Words and three-letter pieces, cut by hand."""
    cut = {
        "enak": ["<enak>", "<en", "ena", "nak", "ak>"],
        "makan": ["<makan>", "<ma", "mak", "aka", "kan", "an>"],
        "tidak": ["<tidak>", "<ti", "tid", "ida", "dak", "ak>"],
    }
    words = text.lower().replace(",", "").replace("!", "").split()
    return Counter(piece for word in words for piece in cut.get(word, []))


def reference(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """The formula of the docstring, in plain Python."""
    counted = [pieces(text) for text in TEXTS]
    names = sorted({name for counts in counted for name in counts})
    rows = []
    for text in texts:
        row = []
        for name in names:
            n, d = pieces(text)[name], sum(name in counts for counts in counted)
            rarity = 1 + math.log((1 + len(TEXTS)) / (1 + d))
            row.append((1 + math.log(n)) * rarity if n else 0.0)
        length = math.sqrt(sum(value**2 for value in row))
        rows.append([value / (length or 1) for value in row])
    return names, np.array(rows)


def test_weights_are_those_of_the_formula():
    encoder = TfidfEncoder.fit(TEXTS, CONFIG)
    texts = [*TEXTS, "enak enak makan bagus", "", "漢字"]
    names, expected = reference(texts)
    found = encoder.encode(texts)
    assert encoder.shape == (len(names),)
    assert (found.shape, found.dtype) == ((len(texts), len(names)), np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert not found[-2:].any()


def test_pieces_that_tell_the_classes_apart_weigh_more():
    texts, labels = ["enak makan", "enak", "tidak makan", "tidak enak", "makan"], [0, 0, 1, 1, 2]
    config = TfidfConfig(shortest=9, longest=9, class_smoothing=2.0)  # nothing but whole words
    plain = TfidfEncoder.fit(texts, replace(config, class_smoothing=None))
    encoder = TfidfEncoder.fit(texts, config, np.array(labels))
    # Of "<enak>", "<makan>" and "<tidak>": texts of each class, and of all others.
    own = np.array([[2, 1, 0], [1, 1, 2], [0, 1, 0]]) + 2.0
    others = np.array([[1, 2, 2], [2, 2, 0], [3, 2, 2]]) + 2.0
    shares = [counts / counts.sum(axis=1, keepdims=True) for counts in (own, others)]
    weights = np.abs(np.log(shares[0] / shares[1])).max(axis=0)
    expected = plain.encode(texts) * weights
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(texts), expected, rtol=1e-5)
    back = TfidfEncoder.from_json(encoder.to_json())
    np.testing.assert_array_equal(back.encode(texts), encoder.encode(texts))


@pytest.mark.parametrize(
    ("labels", "got"),
    [(None, "none"), (np.array([0, 1]), "shape (2,)"), (np.zeros(3, int), "shape (3,)")],
    ids=["none", "too few", "one class"],
)
def test_labels_that_cannot_weigh(labels, got):
    with zoo_error(
        "with class_smoothing, labels must be one a text and of two classes at least, got "
        f"{got} for 3 texts."
    ):
        TfidfEncoder.fit(TEXTS, TfidfConfig(class_smoothing=1.0), labels)


def test_words_and_how_many_are_known():
    encoder = TfidfEncoder.fit(TEXTS, CONFIG)
    assert encoder.count("enakan 漢字 enak " * 3) == (9, 6)
    assert encoder.count(" ") == (0, 0)


def test_what_is_in_few_texts_is_left_out():
    """ "<en" is in two texts and twice in one of them; "tidak" and its pieces are in one."""
    encoder = TfidfEncoder.fit(TEXTS, TfidfConfig(shortest=3, longest=3, min_count=2))
    assert encoder.count("tid") == (1, 0)
    names = {*pieces("enak"), *pieces("makan")}
    assert encoder.shape == (len(names),)


def test_case():
    encoder = TfidfEncoder.fit(TEXTS, TfidfConfig(lower=False))
    assert (encoder.encode(["Enak"]) != encoder.encode(["enak"])).any()
    assert (
        TfidfEncoder.fit(TEXTS).encode(["Enak"]) == TfidfEncoder.fit(TEXTS).encode(["enak"])
    ).all()


def test_saved_and_loaded():
    encoder = TfidfEncoder.fit(TEXTS, CONFIG)
    back = TfidfEncoder.from_json(encoder.to_json())
    assert (back.config, back.shape) == (CONFIG, encoder.shape)
    np.testing.assert_array_equal(back.encode(TEXTS), encoder.encode(TEXTS))
    assert back.to_json() == encoder.to_json() == TfidfEncoder.fit(TEXTS, CONFIG).to_json()


def test_what_was_not_saved_here_is_refused():
    good = json.loads(TfidfEncoder.fit(TEXTS, CONFIG).to_json())
    for content in (
        "nothing",
        "[]",
        "{}",
        json.dumps({**good, "weights": good["weights"][1:]}),
        json.dumps({**good, "weights": [math.nan] * len(good["weights"])}),
        json.dumps({**good, "vocabulary": []}),
        json.dumps({**good, "vocabulary": good["vocabulary"][:1] * len(good["weights"])}),
        json.dumps({**good, "config": {"shortest": 0}}),
        json.dumps({**good, "config": {"shorter": 3}}),
    ):
        with pytest.raises(ZooError, match="the encoder must be what TfidfEncoder wrote: "):
            TfidfEncoder.from_json(content)


def test_bad_options_and_texts():
    with zoo_error("longest must be at least shortest=3, got 2."):
        TfidfConfig(longest=2)
    with zoo_error("class_smoothing must be a number, more than 0 and finite, or None, got 0."):
        TfidfConfig(class_smoothing=0)
    with zoo_error("min_count must be a positive integer, got 0."):
        TfidfConfig(min_count=0)
    with zoo_error(
        "texts must have words that come up in at least 9 of them, got none in 3 texts."
    ):
        TfidfEncoder.fit(TEXTS, TfidfConfig(min_count=9))
    with zoo_error(
        "texts must have words that come up in at least 1 of them, got none in 2 texts."
    ):
        TfidfEncoder.fit(["", " !"])
    with zoo_error("texts must be several strings, got one: ['enak'] is a list of it."):
        TfidfEncoder.fit(TEXTS).encode("enak")
