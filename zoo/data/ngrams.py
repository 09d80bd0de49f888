"""Words as bags of the n-grams of their characters."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zoo.data.text import PAD, SPECIAL, UNKNOWN, check_texts, word_splitter
from zoo.errors import ZooError, check_positive, require


@dataclass(frozen=True)
class NGramConfig:
    """How words are told by their characters; each option is checked when the config is made."""

    length: int = 50
    """Words in a text."""
    per_word: int = 20
    """Ids in a word: its own, then those of its n-grams that the vocabulary knows, up to this."""
    shortest: int = 3
    """Characters of the shortest n-grams, the marks at a word's ends counted."""
    longest: int = 5
    """Characters of the longest n-grams."""
    lower: bool = True
    """Whether case is left out."""
    min_count: int = 2
    """How often a word or n-gram must come up in training."""

    def __post_init__(self) -> None:
        check_positive(
            length=self.length,
            per_word=self.per_word,
            shortest=self.shortest,
            min_count=self.min_count,
        )
        if self.longest < self.shortest:
            raise ZooError(
                f"longest must be at least shortest={self.shortest}, got {self.longest!r}."
            )


class NGramEncoder:
    """Texts as rows of words, and each word as a bag of ids: its own and those of its n-grams.

    The n-grams of "enak" are those of "<enak>", so that its first and last letters are told from
    the same ones within other words; its own id is that of "<enak>" (Bojanowski et al., 2017,
    https://arxiv.org/abs/1607.04606). Ids 0 and 1 are as in `TextEncoder`: a word's bag is padded
    with 0 on the right, a text with bags of nothing but 0, and an unknown word's own id is 1.

    Normalisation, words and vocabulary are the library `tokenizers`'s.
    """

    def __init__(self, tokenizer: Any, config: NGramConfig):
        self._tokenizer, self.config = tokenizer, config
        self._split = word_splitter(config.lower)

    @classmethod
    def fit(cls, texts: Iterable[str], config: NGramConfig = NGramConfig()) -> "NGramEncoder":
        """The vocabulary of `texts`, which should be the training split and nothing else.

        Raises:
            ZooError: no text has anything to learn, or what is given are not texts.
        """
        texts = check_texts(texts)
        library = require("tokenizers", "data")
        tokenizer = library.Tokenizer(library.models.WordLevel({}, unk_token=SPECIAL[UNKNOWN]))
        encoder = cls(tokenizer, config)
        counts = Counter(
            gram for text in texts for word in encoder._split(text) for gram in encoder._grams(word)
        )
        # By count, then by the alphabet, so that the same texts give the same ids.
        known = sorted(
            (gram for gram, count in counts.items() if count >= config.min_count),
            key=lambda gram: (-counts[gram], gram),
        )
        if not known:
            raise ZooError(
                f"texts must have words that come up at least {config.min_count} times, got none "
                f"in {len(texts)} texts."
            )
        ids = {piece: i for i, piece in enumerate((*SPECIAL, *known))}
        tokenizer.model = library.models.WordLevel(ids, unk_token=SPECIAL[UNKNOWN])
        return encoder

    @classmethod
    def from_json(cls, text: str, where: str = "the encoder") -> "NGramEncoder":
        """What `to_json` gave.

        Raises:
            ZooError: it is no such thing.
        """
        library = require("tokenizers", "data")
        try:
            content = json.loads(text)
            tokenizer = library.Tokenizer.from_str(json.dumps(content["tokenizer"]))
            return cls(tokenizer, NGramConfig(**content["config"]))
        except Exception as error:  # the library raises plain Exceptions
            raise ZooError(f"{where} must be what NGramEncoder wrote: {error}.") from error

    def to_json(self) -> str:
        """All of it."""
        tokenizer = json.loads(self._tokenizer.to_str())
        return json.dumps({"config": asdict(self.config), "tokenizer": tokenizer})

    @property
    def length(self) -> int:
        """Words in a text."""
        return self.config.length

    @property
    def shape(self) -> tuple[int, int]:
        """Of a text's ids: words, and ids in a word."""
        return self.config.length, self.config.per_word

    @property
    def vocabulary(self) -> int:
        """Number of different ids."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """Texts to ids `[N, length, per_word]`, int32, cut where too long.

        Raises:
            ZooError: what is given are not texts.
        """
        texts = check_texts(texts)
        ids = np.full((len(texts), *self.shape), PAD, np.int32)
        for row, text in enumerate(texts):
            for i, word in enumerate(self._split(text)[: self.length]):
                bag = self._bag(word)[: self.config.per_word]
                ids[row, i, : len(bag)] = bag
        return ids

    def count(self, text: str) -> tuple[int, int]:
        """Words in a text, however long it is, and in how many of them anything is known."""
        words = self._split(text)
        return len(words), sum(self._bag(word) != [UNKNOWN] for word in words)

    def _grams(self, word: str) -> list[str]:
        return word_grams(word, self.config.shortest, self.config.longest)

    def _bag(self, word: str) -> list[int]:
        own, *others = map(self._tokenizer.token_to_id, self._grams(word))
        return [UNKNOWN if own is None else own, *(i for i in others if i is not None)]


def word_grams(word: str, shortest: int, longest: int) -> list[str]:
    """The word itself between its marks, then its n-grams, each as often as it comes up.

    >>> word_grams("ini", 3, 4)
    ['<ini>', '<in', 'ini', 'ni>', '<ini', 'ini>']
    """
    whole = f"<{word}>"
    grams = (
        whole[i : i + n] for n in range(shortest, longest + 1) for i in range(len(whole) - n + 1)
    )
    return [whole, *(gram for gram in grams if gram != whole)]
