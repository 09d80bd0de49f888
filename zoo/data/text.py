"""Texts as rows of ids: words, pieces of words or characters, padded to one length."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from zoo.errors import ZooError, check_positive, require

PAD, UNKNOWN = 0, 1
SPECIAL = ("[PAD]", "[UNK]")  # in the order of their ids


@dataclass(frozen=True)
class TextConfig:
    """How texts are cut up; each option is checked when the config is made."""

    pieces: Literal["words", "subwords", "characters"] = "words"
    """What has an id: words (without punctuation); the pieces of words that byte-pair encoding
    (Sennrich et al., 2016) finds; or single characters, the space one of them."""
    length: int = 100
    """Ids in a row: shorter texts are padded on the right, longer ones are cut there."""
    lower: bool = True
    """Whether case is left out."""
    min_count: int = 1
    """A word, or a pair of pieces that is to become one, must come up so often in training."""
    vocabulary: int = 30_000
    """At most so many different ids, the two for padding and for what is unknown included."""

    def __post_init__(self) -> None:
        check_positive(length=self.length, min_count=self.min_count, vocabulary=self.vocabulary)
        if self.pieces not in ("words", "subwords", "characters"):
            raise ZooError(
                f"pieces must be 'words', 'subwords' or 'characters', got {self.pieces!r}."
            )


class TextEncoder:
    """A vocabulary, and the way from texts to rows of its ids.

    Id 0 is padding, and nothing else is; id 1 is what the vocabulary lacks. So the mask of a row
    is `ids != 0`, which is what `zoo.layers.Embedding` with `mask_zero` says. An empty text is a
    row of padding.

    It is a tokenizer of the library `tokenizers` and is saved as its `tokenizer.json`, which has
    the vocabulary, the normalisation and the padding. Make one with `fit`, `load` or `from_json`.
    """

    def __init__(self, tokenizer: Any):
        tokenizer.encode_special_tokens = True  # "[PAD]" in a text is a text, not padding
        self._tokenizer = tokenizer

    @classmethod
    def fit(cls, texts: Iterable[str], config: TextConfig = TextConfig()) -> "TextEncoder":
        """The vocabulary of `texts`, which should be the training split and nothing else.

        Raises:
            ZooError: no text has anything to learn, or what is given are not texts.
        """
        texts = check_texts(texts)
        library = require("tokenizers", "data")
        model, pre_tokenizer, trainer = _parts(library, config)
        tokenizer = library.Tokenizer(model)
        tokenizer.normalizer = _normalizer(library, config.lower)
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.train_from_iterator(texts, trainer)
        if tokenizer.get_vocab_size() == len(SPECIAL):
            raise ZooError(
                f"texts must have {config.pieces} that come up at least {config.min_count} times, "
                f"got none in {len(texts)} texts."
            )
        tokenizer.enable_padding(length=config.length, pad_id=PAD, pad_token=SPECIAL[PAD])
        tokenizer.enable_truncation(config.length)
        return cls(tokenizer)

    @classmethod
    def from_json(cls, text: str, where: str = "the tokenizer") -> "TextEncoder":
        """What `to_json` gave.

        Raises:
            ZooError: it is no such thing.
        """
        try:
            encoder = cls(require("tokenizers", "data").Tokenizer.from_str(text))
        except Exception as error:  # the library raises plain Exceptions
            raise ZooError(f"{where} must be a tokenizer.json: {error}.") from error
        tokenizer = encoder._tokenizer
        special = tuple(tokenizer.id_to_token(i) for i in (PAD, UNKNOWN))
        if special != SPECIAL or not tokenizer.padding or not tokenizer.truncation:
            raise ZooError(
                f"{where} must pad to a length and have the ids {PAD} and {UNKNOWN} for "
                f"{' and '.join(SPECIAL)}, got {' and '.join(map(str, special))}."
            )
        return encoder

    @classmethod
    def load(cls, path: Path) -> "TextEncoder":
        """What `save` wrote.

        Raises:
            ZooError: there is no such file, or it is no tokenizer of this house.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ZooError(f"{path} cannot be read as a tokenizer.json: {error}.") from error
        return cls.from_json(text, str(path))

    def to_json(self) -> str:
        """All of it, as the library writes it."""
        return str(self._tokenizer.to_str())

    def save(self, path: Path) -> None:
        """Writes `tokenizer.json`."""
        path.write_text(self.to_json(), encoding="utf-8")

    @property
    def length(self) -> int:
        """Ids in a row."""
        return int(self._tokenizer.padding["length"])

    @property
    def shape(self) -> tuple[int]:
        """Of a text's ids."""
        return (self.length,)

    @property
    def vocabulary(self) -> int:
        """Number of different ids."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """Texts to ids `[N, length]`, int32, padded on the right with 0, cut where too long.

        Raises:
            ZooError: what is given are not texts.
        """
        encoded = self._tokenizer.encode_batch(check_texts(texts))
        return np.array([row.ids for row in encoded], np.int32).reshape(len(encoded), self.length)

    def count(self, text: str) -> tuple[int, int]:
        """Pieces in a text, however long it is, and how many of them the vocabulary knows."""
        whole = self._tokenizer.encode(text)
        ids = [i for part in (whole, *whole.overflowing) for i in part.ids if i != PAD]
        return len(ids), sum(i != UNKNOWN for i in ids)


def check_texts(texts: Iterable[str]) -> list[str]:
    """The texts as a list, or an error: one string, taken letter by letter, would be many texts."""
    if isinstance(texts, str):
        raise ZooError(f"texts must be several strings, got one: [{texts!r}] is a list of it.")
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ZooError(f"texts must be strings, got {text!r} in row {row}.")
    return list(map(str, texts))  # NumPy's strings as Python's


def _normalizer(library: Any, lower: bool) -> Any:
    """One form for each character (NFKC), and one case if asked."""
    rules = library.normalizers
    return rules.Sequence([rules.NFKC(), *([rules.Lowercase()] if lower else []), rules.Strip()])


def _words_only(library: Any) -> Any:
    """Splits at spaces and punctuation, and leaves out both."""
    split = library.pre_tokenizers
    return split.Sequence([split.WhitespaceSplit(), split.Punctuation("removed")])


def word_splitter(lower: bool) -> Callable[[str], list[str]]:
    """What gives a text's words, as `TextConfig` has them."""
    library = require("tokenizers", "data")
    normal, split = _normalizer(library, lower), _words_only(library)
    return lambda text: [word for word, _ in split.pre_tokenize_str(normal.normalize_str(text))]


def _parts(library: Any, config: TextConfig) -> tuple[Any, Any, Any]:
    """The library's model, pre-tokenizer and trainer for a config."""
    split, unknown = library.pre_tokenizers, SPECIAL[UNKNOWN]
    words = _words_only(library)
    options = {
        "vocab_size": config.vocabulary,
        "min_frequency": config.min_count,
        "special_tokens": list(SPECIAL),
        "show_progress": False,
    }
    match config.pieces:
        case "words":
            trainer = library.trainers.WordLevelTrainer(**options)
            return library.models.WordLevel({}, unk_token=unknown), words, trainer
        case "subwords":
            # A mark before each word tells its first piece from the others.
            marked = split.Sequence([words, split.Metaspace(prepend_scheme="always")])
            trainer = library.trainers.BpeTrainer(**options)
            return library.models.BPE(unk_token=unknown), marked, trainer
        case "characters":
            trainer = library.trainers.WordLevelTrainer(**options)
            every = split.Split(library.Regex(r"[\s\S]"), "isolated")
            return library.models.WordLevel({}, unk_token=unknown), every, trainer
