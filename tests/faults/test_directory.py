"""A breach in parts: everybody is in one of them, and each part is judged by its own accounts."""

from collections import Counter

from faults.directory import of_part, parted
from patchline.demo.afternoon import Afternoon, Deed
from simulators.breach import Fate, breach

WHOLE = breach(seed=1)
PARTS = parted(WHOLE, 7)


def test_every_account_and_exposure_is_in_one_part_and_each_part_has_resets() -> None:
    assert Counter(login for each in PARTS for login in each.fates) == Counter(WHOLE.fates.keys())
    assert sum(len(each.exposures) for each in PARTS) == len(WHOLE.exposures)
    assert all(each.of(Fate.RESET) for each in PARTS)


def test_a_part_has_its_own_deeds_and_the_first_has_also_those_that_are_nobodys() -> None:
    mine, other = next(iter(PARTS[0].fates)), next(iter(PARTS[1].fates))
    deeds = [Deed(what="password", login=login, at="") for login in (mine, other, "stranger@x.example")]
    after = Afternoon(breach=WHOLE, deeds=deeds, late="late")

    first = of_part(after, Afternoon(breach=PARTS[0]), with_strangers=True)
    second = of_part(after, Afternoon(breach=PARTS[1]), with_strangers=False)

    assert [each.login for each in first.deeds] == [mine, "stranger@x.example"]
    assert ([each.login for each in second.deeds], second.late) == ([other], "")
