"""Texts to ids: what is learned, kept, padded, cut, and unknown."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.functional.cases import zoo_error
from zoo.data import NGramEncoder, TextConfig, TextEncoder, drop_pieces, drop_words
from zoo.errors import ZooError

TEXTS = ["Makanan enak, enak sekali!", "makanan TIDAK enak", "Sekali lagi"]
WORDS = TextConfig(length=5)


def words_of(encoder: TextEncoder, text: str) -> list[str]:
    row = encoder.encode([text])[0]
    return [encoder._tokenizer.id_to_token(int(i)) for i in row]


def test_words_without_punctuation_padded_on_the_right():
    encoder = TextEncoder.fit(TEXTS, WORDS)
    assert (encoder.length, encoder.vocabulary) == (5, 2 + 5)
    ids = encoder.encode(TEXTS)
    assert (ids.shape, ids.dtype) == ((3, 5), np.int32)
    assert words_of(encoder, TEXTS[0]) == ["makanan", "enak", "enak", "sekali", "[PAD]"]
    assert (ids != 0).sum(axis=1).tolist() == [4, 3, 2]
    # Fitted anew, the same: ids are given by how often a word comes up, then by the alphabet.
    np.testing.assert_array_equal(TextEncoder.fit(TEXTS, WORDS).encode(TEXTS), ids)


def test_case_and_count():
    cased = TextEncoder.fit(TEXTS, TextConfig(length=5, lower=False))
    assert words_of(cased, TEXTS[1])[:3] == ["makanan", "TIDAK", "enak"]
    assert words_of(cased, "tidak")[0] == "[UNK]"
    frequent = TextEncoder.fit(TEXTS, TextConfig(length=5, min_count=2))
    assert words_of(frequent, TEXTS[1])[:3] == ["makanan", "[UNK]", "enak"]
    small = TextEncoder.fit(TEXTS, TextConfig(length=5, vocabulary=3))
    assert small.vocabulary == 3
    assert words_of(small, TEXTS[1])[:3] == ["[UNK]", "[UNK]", "enak"]


def test_pieces_of_words_spell_what_was_never_seen():
    config = TextConfig("subwords", length=12, vocabulary=24)
    encoder = TextEncoder.fit(TEXTS, config)
    assert encoder.vocabulary == 24
    pieces = [piece for piece in words_of(encoder, "enak lakis") if piece != "[PAD]"]
    assert "".join(pieces).replace("▁", " ").strip() == "enak lakis"
    assert "▁enak" in pieces


def test_characters():
    encoder = TextEncoder.fit(TEXTS, TextConfig("characters", length=8))
    assert words_of(encoder, "Ka la")[:6] == ["k", "a", " ", "l", "a", "[PAD]"]


@pytest.mark.parametrize("pieces", ["words", "subwords", "characters"])
@pytest.mark.parametrize("text", ["", "  \n", "漢字 λόγος 🙂", "enak " * 50, "\x00\u200b"])
def test_strange_texts_are_rows_of_known_ids(pieces, text):
    encoder = TextEncoder.fit(TEXTS, TextConfig(pieces, length=5))
    ids = encoder.encode(["enak", text])
    assert ids.shape == (2, 5)
    assert ids.min() >= 0
    assert ids.max() < encoder.vocabulary
    # Padding is on the right alone.
    assert (np.diff((ids != 0).astype(int), axis=1) <= 0).all()
    if not text.strip():
        assert not ids[1].any()


def test_counts_are_of_the_whole_text():
    encoder = TextEncoder.fit(TEXTS, WORDS)
    assert encoder.count("enak sekali " * 20) == (40, 40)
    assert encoder.count("enak 漢字 sekali") == (3, 2)
    assert encoder.count(" ") == (0, 0)
    # What a user writes is no padding.
    assert encoder.count("[PAD]") == (1, 0)
    assert words_of(encoder, "enak [PAD] enak")[:3] == ["enak", "[UNK]", "enak"]


def test_saved_and_loaded(tmp_path):
    encoder = TextEncoder.fit(TEXTS, WORDS)
    encoder.save(tmp_path / "tokenizer.json")
    back = TextEncoder.load(tmp_path / "tokenizer.json")
    assert (back.length, back.vocabulary) == (encoder.length, encoder.vocabulary)
    assert back.to_json() == encoder.to_json()
    np.testing.assert_array_equal(back.encode(TEXTS), encoder.encode(TEXTS))


def test_what_cannot_be_loaded(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ZooError, match=r"cannot be read as a tokenizer\.json: .*No such file"):
        TextEncoder.load(path)
    path.write_text("{}")
    with pytest.raises(ZooError, match=r"tokenizer\.json must be a tokenizer\.json: "):
        TextEncoder.load(path)
    strange = TextEncoder.fit(TEXTS, WORDS)
    strange._tokenizer.no_padding()
    with zoo_error(
        "the tokenizer must pad to a length and have the ids 0 and 1 for [PAD] and [UNK], got "
        "[PAD] and [UNK]."
    ):
        TextEncoder.from_json(strange.to_json())


def test_bad_options():
    with zoo_error("pieces must be 'words', 'subwords' or 'characters', got 'letters'."):
        TextConfig("letters")  # type: ignore[arg-type]
    with zoo_error("length must be a positive integer, got 0."):
        TextConfig(length=0)
    with zoo_error("texts must have words that come up at least 9 times, got none in 3 texts."):
        TextEncoder.fit(TEXTS, TextConfig(min_count=9))


@pytest.mark.parametrize("kind", [TextEncoder, NGramEncoder])
def test_what_are_no_texts(kind):
    encoder = kind.fit(TEXTS)
    for call in (kind.fit, encoder.encode):
        with zoo_error("texts must be several strings, got one: ['enak'] is a list of it."):
            call("enak")
        with zoo_error("texts must be strings, got nan in row 1."):
            call(["enak", float("nan")])
    np.testing.assert_array_equal(encoder.encode(np.array(TEXTS)), encoder.encode(TEXTS))


def test_words_left_out_at_random():
    ids = jnp.concatenate([jnp.full((50, 40), 7), jnp.zeros((50, 10), jnp.int32)], axis=1)
    dropped = np.asarray(drop_words(jax.random.key(0), ids, rate=0.25))
    assert (dropped[:, 40:] == 0).all()
    assert set(np.unique(dropped[:, :40])) == {1, 7}
    # 2,000 draws: five standard deviations of the share are 0.048.
    assert (dropped[:, :40] == 1).mean() == pytest.approx(0.25, abs=0.048)
    np.testing.assert_array_equal(drop_words(jax.random.key(0), ids, rate=0.0), ids)
    with zoo_error("rate must be at least 0 and less than 1, got 1."):
        drop_words(jax.random.key(0), ids, rate=1)
    with zoo_error("ids must be integers of shape [B, T], got int32 of (50,)."):
        drop_words(jax.random.key(0), ids[:, 0], rate=0.1)


def test_pieces_left_out_at_random():
    ids = jnp.full((50, 10, 4), 7)
    dropped = np.asarray(drop_pieces(jax.random.key(0), ids, rate=0.25))
    assert set(np.unique(dropped)) == {0, 7}
    # 2,000 draws: five standard deviations of the share are 0.048.
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.048)
    np.testing.assert_array_equal(drop_pieces(jax.random.key(0), ids, rate=0.0), ids)
    with zoo_error("rate must be at least 0 and less than 1, got 1."):
        drop_pieces(jax.random.key(0), ids, rate=1)
    with zoo_error("ids must be integers of shape [B, T, n], got int32 of (50, 10)."):
        drop_pieces(jax.random.key(0), ids[..., 0], rate=0.1)
