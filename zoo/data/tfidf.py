"""Texts as weighted counts of their words and n-grams."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

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
    class_smoothing: float | None = None
    """Weigh a piece also by how unevenly the classes have it; so many texts are added to each
    count, so that a piece of one text is not taken for certain."""

    def __post_init__(self) -> None:
        check_positive(shortest=self.shortest, min_count=self.min_count)
        if self.longest < self.shortest:
            raise ZooError(
                f"longest must be at least shortest={self.shortest}, got {self.longest!r}."
            )
        if self.class_smoothing is not None and not 0 < self.class_smoothing < math.inf:
            raise ZooError(
                "class_smoothing must be a number, more than 0 and finite, or None, got "
                f"{self.class_smoothing!r}."
            )


class TfidfEncoder:
    """Texts as vectors with a place for each word and n-gram of the training texts.

    A word's n-grams are as in `NGramEncoder`. A piece that comes up `n` times in a text, and in
    `d` of the `D` training texts, has the weight `(1 + ln n) · (1 + ln((1 + D) / (1 + d)))`, which
    is large where the piece is frequent here and rare elsewhere; then the vector is scaled to
    length 1. What was never seen in training is left out, and a text of nothing else gives zeros.
    The order of words is lost.

    With `class_smoothing`, s, the weight is also multiplied by the piece's largest log-count ratio
    of a class against all others, `max_c |ln(p_c / Σp_c) − ln(q_c / Σq_c)|`, where `p_c` is s plus
    the number of texts of the class with the piece, `q_c` s plus that of all other texts, and the
    sums are over all pieces.

    Counts and weights are scikit-learn's `TfidfVectorizer`. Make one with `fit` or `from_json`.

    Source: Salton and Buckley, 1988, https://doi.org/10.1016/0306-4573(88)90021-0 (weights by
    rarity); Wang and Manning, 2012, https://aclanthology.org/P12-2018 (log-count ratios, there of
    two classes)
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
    def fit(
        cls,
        texts: Iterable[str],
        config: TfidfConfig = TfidfConfig(),
        labels: np.ndarray | None = None,
    ) -> "TfidfEncoder":
        """Learns pieces and weights of `texts`, which should be the training split and no more.

        Args:
            texts: to learn from.
            config: what is counted.
            labels: of the texts, integers `[N]`; only read with `class_smoothing`.

        Raises:
            ZooError: no text has anything to learn, what is given are not texts, or the labels are
                not one a text and of two classes at least.
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
        if config.class_smoothing is not None:
            has = encoder._vectorizer.transform(texts) > 0
            encoder._vectorizer.idf_ *= _largest_ratio(has, labels, config.class_smoothing)
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
            weights = np.array(content["weights"], np.float32)
            if not np.isfinite(weights).all():
                raise ValueError("not all weights are finite")
            encoder._vectorizer.idf_ = weights
        except (ValueError, TypeError, KeyError) as error:
            raise ZooError(f"{where} must be what TfidfEncoder wrote: {error}.") from error
        return encoder

    def to_json(self) -> str:
        """All of it."""
        vocabulary = self._vectorizer.get_feature_names_out().tolist()
        return json.dumps(
            {
                "config": asdict(self.config),
                "vocabulary": vocabulary,
                "weights": self._vectorizer.idf_.tolist(),
            }
        )

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


def _largest_ratio(has: Any, labels: np.ndarray | None, smoothing: float) -> np.ndarray:
    """Of each piece, from a sparse matrix that says which text has which, `[N, pieces]`."""
    shape = None if labels is None else np.shape(labels)
    if labels is None or shape != has.shape[:1] or len(classes := np.unique(labels)) < 2:
        raise ZooError(
            "with class_smoothing, labels must be one a text and of two classes at least, got "
            f"{f'shape {shape}' if shape else 'none'} for {has.shape[0]} texts."
        )

    def log_share(texts: np.ndarray) -> np.ndarray:
        counts = smoothing + np.asarray(has[texts].sum(axis=0)).ravel()
        return np.log(counts / counts.sum())

    ratios = [log_share(labels == c) - log_share(labels != c) for c in classes]
    return np.abs(ratios).max(axis=0).astype(np.float32)
