"""One comparison: what is lost, what is there twice."""

from collections import Counter

import pytest

from patchline.demo.check import EXAMPLES, Check, compared, some, with_wrong


@pytest.mark.parametrize(
    ("expected", "found", "lost", "doubled"),
    [
        pytest.param("aab", "aab", 0, 0, id="the same"),
        pytest.param("aab", "ab", 1, 0, id="one of two is lost"),
        pytest.param("ab", "aab", 0, 1, id="one is there twice"),
        pytest.param("ab", "ac", 1, 1, id="one is lost, a stranger is there"),
        pytest.param("", "", 0, 0, id="nothing at all"),
    ],
)
def test_multisets_are_compared(expected: str, found: str, lost: int, doubled: int) -> None:
    check = compared("letters", Counter(expected), Counter(found), str)

    assert (check.lost, check.doubled) == (lost, doubled)
    assert (check.expected, check.found) == (len(expected), len(found))
    assert check.is_good is (lost == doubled == 0)
    assert len(check.examples) == lost + doubled


def test_what_is_otherwise_wrong_is_not_good_either() -> None:
    check = with_wrong(Check(name="states", expected=2, found=2), ["one is red"])

    assert check.wrong == 1
    assert not check.is_good
    assert check.examples == ("one is red",)


def test_only_a_few_examples_are_kept() -> None:
    assert len(some(str(number) for number in range(100))) == EXAMPLES
