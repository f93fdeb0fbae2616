"""How good translations are."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["bleu_score"]


def _ngrams(tokens: Sequence[str], max_n: int) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(tokens[start : start + length])
        for length in range(1, max_n + 1)
        for start in range(len(tokens) - length + 1)
    )


def bleu_score(
    candidate_corpus: Iterable[Sequence[str]],
    references_corpus: Iterable[Sequence[Sequence[str]]],
    max_n: int = 4,
    weights: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
) -> float:
    """Return the BLEU score, 0 to 1, of translations (token lists), each with one or more reference translations.

    Corpus level, without smoothing: 0 when no n-gram of some length is right. Of references equally near in length
    the first counts. Method of Papineni and others (2002).

    >>> bleu_score([["my", "full", "test", "here"]], [[["my", "full", "test", "here", "!"]]])
    0.7788007830714049
    """
    if len(weights) != max_n:
        raise ValueError(f"expected max_n = {max_n} weights, got {len(weights)}")
    right = [0] * max_n
    total = [0] * max_n
    candidate_length = reference_length = 0
    candidates, references = list(candidate_corpus), list(references_corpus)
    if len(candidates) != len(references):
        raise ValueError(f"expected references for each of {len(candidates)} candidates, got {len(references)}")
    for candidate, alternatives in zip(candidates, references, strict=True):
        candidate_length += len(candidate)
        reference_length += min((len(one) for one in alternatives), key=lambda length: abs(length - len(candidate)))
        known: Counter[tuple[str, ...]] = Counter()
        for one in alternatives:
            known |= _ngrams(one, max_n)
        # An n-gram is right as often as it stands in the reference that has most of it.
        for ngram, count in (_ngrams(candidate, max_n) & known).items():
            right[len(ngram) - 1] += count
        for length in range(max_n):
            total[length] += max(len(candidate) - length, 0)
    if min(right) == 0:
        return 0.0
    mean = sum(weight * math.log(hits / count) for weight, hits, count in zip(weights, right, total, strict=True))
    return math.exp(min(1.0 - reference_length / candidate_length, 0.0) + mean)
