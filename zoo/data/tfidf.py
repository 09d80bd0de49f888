"""Texts as weighted counts of their words and n-grams."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from zoo.data.ngrams import word_grams
from zoo.data.text import check_texts, word_splitter
from zoo.errors import ZooError, check_positive, require


@dataclass(frozen=True)
class TfidfConfig:
    """What of a text is counted; each option is checked when the config is made."""

    shortest: int = 3
    """Characters of the shortest n-grams, the marks at a word's ends counted."""
    longest: int = 5
    """Characters of the longest n-grams."""
    lower: bool = True
    """Whether case is left out."""
    min_count: int = 1
    """In how many training texts a word or n-gram must come up."""

    def __post_init__(self) -> None:
        check_positive(shortest=self.shortest, min_count=self.min_count)
        if self.longest < self.shortest:
            raise ZooError(
                f"longest must be at least shortest={self.shortest}, got {self.longest!r}."
            )


class TfidfEncoder:
    """Texts as vectors with a place for each word and n-gram of the training texts.

    A word's n-grams are as in `NGramEncoder`. A piece that comes up `n` times in a text, and in
    `d` of the `D` training texts, has the weight `(1 + ln n) · (1 + ln((1 + D) / (1 + d)))`, which
    is large where the piece is frequent here and rare elsewhere; then the vector is scaled to
    length 1. What was never seen in training is left out, and a text of nothing else gives zeros.
    The order of words is lost.

    Counts and weights are scikit-learn's `TfidfVectorizer`. Make one with `fit` or `from_json`.

    Source: Salton and Buckley, 1988, https://doi.org/10.1016/0306-4573(88)90021-0
    """

    def __init__(self, config: TfidfConfig, vocabulary: Iterable[str] | None = None):
        self.config, self._split = config, word_splitter(config.lower)
        self._vectorizer = require("sklearn.feature_extraction.text", "data").TfidfVectorizer(
            analyzer=self._pieces,
            vocabulary=vocabulary,
            min_df=config.min_count,
            sublinear_tf=True,
            dtype=np.float32,
        )

    @classmethod
    def fit(cls, texts: Iterable[str], config: TfidfConfig = TfidfConfig()) -> "TfidfEncoder":
        """Learns pieces and weights of `texts`, which should be the training split and no more.

        Raises:
            ZooError: no text has anything to learn, or what is given are not texts.
        """
        texts = check_texts(texts)
        encoder = cls(config)
        try:
            encoder._vectorizer.fit(texts)
        except ValueError as error:  # the library's word for an empty vocabulary
            raise ZooError(
                f"texts must have words that come up in at least {config.min_count} of them, got "
                f"none in {len(texts)} texts."
            ) from error
        return encoder

    @classmethod
    def from_json(cls, text: str, where: str = "the encoder") -> "TfidfEncoder":
        """What `to_json` gave.

        Raises:
            ZooError: it is no such thing.
        """
        try:
            content = json.loads(text)
            encoder = cls(TfidfConfig(**content["config"]), content["vocabulary"])
            idf = np.array(content["idf"], np.float32)
            if not np.isfinite(idf).all():
                raise ValueError("not all idf are finite")
            encoder._vectorizer.idf_ = idf
        except (ValueError, TypeError, KeyError) as error:
            raise ZooError(f"{where} must be what TfidfEncoder wrote: {error}.") from error
        return encoder

    def to_json(self) -> str:
        """All of it."""
        vocabulary = self._vectorizer.get_feature_names_out().tolist()
        idf = self._vectorizer.idf_.tolist()
        return json.dumps({"config": asdict(self.config), "vocabulary": vocabulary, "idf": idf})

    @property
    def length(self) -> float:
        """Words in a text: any number of them."""
        return math.inf

    @property
    def shape(self) -> tuple[int]:
        """Of a text's vector."""
        return (len(self._vectorizer.vocabulary_),)

    def encode(self, texts: Iterable[str]) -> np.ndarray:
        """Texts to vectors `[N, pieces]`, float32.

        Raises:
            ZooError: what is given are not texts.
        """
        return self._vectorizer.transform(check_texts(texts)).toarray()

    def count(self, text: str) -> tuple[int, int]:
        """Words in a text, and in how many of them anything is known."""
        words, known = self._split(text), self._vectorizer.vocabulary_
        return len(words), sum(any(gram in known for gram in self._grams(word)) for word in words)

    def _pieces(self, text: str) -> list[str]:
        return [gram for word in self._split(text) for gram in self._grams(word)]

    def _grams(self, word: str) -> list[str]:
        return word_grams(word, self.config.shortest, self.config.longest)
