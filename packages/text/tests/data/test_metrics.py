"""BLEU, against NLTK's corpus_bleu (3.4.5) and worked cases."""

import math

import pytest
from facula_text.data import bleu_score

CANDIDATES = ["Lucille B has 3 sons", "She loves all her children equally", "No match here at all"]
REFERENCES = [
    ["I heard Lucille has three sons", "Rumor has it Lucille has 3 sons !"],
    ["I love all my children equally", "She loves all her children equally"],
    ["I have made a terrible mistake", "Big mistake"],
]


def score(candidates, references, *arguments):
    return bleu_score(
        [candidate.split() for candidate in candidates],
        [[reference.split() for reference in alternatives] for alternatives in references],
        *arguments,
    )


@pytest.mark.parametrize(
    ("max_n", "weight", "expected"),
    [(4, 0.25, 0.4573199), (3, 0.33, 0.4901113), (2, 0.5, 0.5119535), (1, 1.0, 0.5515605)],
)
def test_against_nltk(max_n, weight, expected):
    assert score(CANDIDATES, REFERENCES, max_n, [weight] * max_n) == pytest.approx(expected, abs=1e-7)


def test_perfect_and_hopeless():
    assert score(["My full pytorch test"], [["My full pytorch test", "Completely Different"]]) == 1.0
    assert score(["My full pytorch"], [["My full pytorch test", "Completely Different"]]) == 0.0
    assert score([""], [[""]]) == 0.0


def test_too_short_is_punished():
    assert score(["My full pytorch test"], [["My full pytorch test !", "Different"]]) == pytest.approx(math.exp(-0.25))


def test_repetition_does_not_pay():
    # Two of seven: "the" stands at most twice in one reference.
    references = [["the cat is on the mat", "there is a cat on the mat"]]
    assert score(["the the the the the the the"], references, 1, [1.0]) == pytest.approx(2 / 7)


def test_of_references_equally_near_the_first_counts():
    candidate = "a b c d e"
    assert score([candidate], [[candidate + " f", "a b c d"]]) == pytest.approx(math.exp(1 - 6 / 5))
    assert score([candidate], [["a b c d", candidate + " f"]]) == 1.0


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="max_n = 4 weights, got 2"):
        score(["a"], [["a"]], 4, [0.5, 0.5])
    with pytest.raises(ValueError, match="each of 2 candidates, got 1"):
        score(["a", "b"], [["a"]])
