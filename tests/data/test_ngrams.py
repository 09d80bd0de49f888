"""Words as bags of n-grams."""

import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data import NGramConfig, NGramEncoder
from zoo.errors import ZooError

TEXTS = ["Makan enak, enak!", "makanan tidak enak"]
CONFIG = NGramConfig(length=4, per_word=6, shortest=3, longest=4, min_count=1)


def pieces(encoder: NGramEncoder, text: str) -> list[list[str]]:
    (words,) = encoder.encode([text])
    found = [[encoder._tokenizer.id_to_token(int(i)) for i in bag if i] for bag in words]
    return [bag for bag in found if bag]


def test_a_word_and_its_n_grams_between_marks():
    encoder = NGramEncoder.fit(TEXTS, CONFIG)
    assert pieces(encoder, "Enak!") == [["<enak>", "<en", "ena", "nak", "ak>", "<ena"]]
    ids = encoder.encode([*TEXTS, ""])
    assert (ids.shape, ids.dtype) == ((3, 4, 6), np.int32)
    assert (ids[0, :3, 0] > 1).all()
    assert not ids[0, 3].any()
    assert not ids[2].any()
    assert encoder.shape == (4, 6)


def test_an_unknown_word_is_told_by_its_known_pieces():
    encoder = NGramEncoder.fit(TEXTS, CONFIG)
    assert pieces(encoder, "enakan") == [["[UNK]", "<en", "ena", "nak", "aka", "kan"]]
    assert pieces(encoder, "漢字") == [["[UNK]"]]
    assert encoder.count("enakan 漢字 enak " * 3) == (9, 6)
    assert encoder.count("") == (0, 0)


def test_what_is_rare_is_left_out():
    encoder = NGramEncoder.fit(TEXTS, NGramConfig(shortest=3, longest=3, min_count=3))
    # By count, then by the alphabet: "<enak>" and its three-letter pieces come up thrice, and
    # "nak" is in "makan" as well as in none else.
    assert pieces(encoder, "enak makan") == [
        ["<enak>", "<en", "ena", "nak", "ak>"],
        ["[UNK]"],
    ]


def test_saved_and_loaded():
    encoder = NGramEncoder.fit(TEXTS, CONFIG)
    back = NGramEncoder.from_json(encoder.to_json())
    assert (back.config, back.vocabulary) == (CONFIG, encoder.vocabulary)
    np.testing.assert_array_equal(back.encode(TEXTS), encoder.encode(TEXTS))
    assert back.to_json() == encoder.to_json() == NGramEncoder.fit(TEXTS, CONFIG).to_json()
    for content in ("{}", "nothing", '{"config": {"lenght": 3}, "tokenizer": {}}'):
        with pytest.raises(ZooError, match="the encoder must be what NGramEncoder wrote: "):
            NGramEncoder.from_json(content)


def test_bad_options():
    with zoo_error("longest must be at least shortest=3, got 2."):
        NGramConfig(longest=2)
    with zoo_error("per_word must be a positive integer, got 0."):
        NGramConfig(per_word=0)
    with zoo_error("texts must have words that come up at least 9 times, got none in 2 texts."):
        NGramEncoder.fit(TEXTS, NGramConfig(min_count=9))
