"""Versions compare by the rules of who made them."""

import pytest

from contracts.events.event import OsFamily
from services.compliance.catalog.model import Product, Reads, Release
from services.compliance.catalog.versions import Scheme, version
from tests.compliance.stories import JANUARY_AT

NEWER: dict[str, tuple[Scheme, str, str]] = {
    "rpm: an epoch beats any version": (Scheme.RPM, "1:0.9-1.el8", "7.0-3.el8"),
    "rpm: numbers are numbers": (Scheme.RPM, "0:3.0.7-16.el9", "0:3.0.7-6.el9"),
    "rpm: a backport is told by its release": (Scheme.RPM, "3.1.3-20.el8_10", "3.1.3-20.el8"),
    "rpm: a tilde is before": (Scheme.RPM, "1.0-1", "1.0~rc1-1"),
    "deb: an epoch beats any version": (Scheme.DEB, "2:1.0-1", "3.0-1"),
    "deb: a tilde is before": (Scheme.DEB, "1.2-1", "1.2~rc1-1"),
    "deb: a security update": (Scheme.DEB, "3.2.7-1ubuntu0.22.04.4", "3.2.7-1ubuntu0.22.04.2"),
    "semver: a release is after its candidates": (Scheme.SEMVER, "2.0.0", "2.0.0-rc.1"),
    "generic: numbers are numbers": (Scheme.GENERIC, "132.0.6834.83", "131.0.6778.264"),
    "generic: of two digits": (Scheme.GENERIC, "10.0", "9.9"),
}


@pytest.mark.parametrize(("scheme", "newer", "older"), NEWER.values(), ids=NEWER.keys())
def test_the_newer_is_at_least_the_older_and_not_the_other_way(scheme: Scheme, newer: str, older: str) -> None:
    one, other = version(scheme, newer), version(scheme, older)

    assert one is not None
    assert other is not None
    assert (one.is_at_least(other), other.is_at_least(one), one.is_at_least(one)) == (True, False, True)
    assert one != other


def test_what_is_no_version_and_versions_of_two_schemes_tell_nothing() -> None:
    rpm, deb = version(Scheme.RPM, "1.0-1"), version(Scheme.DEB, "1.0-1")

    assert version(Scheme.SEMVER, "newest") is None
    assert version(Scheme.GENERIC, "newest") is None
    assert version(Scheme.RPM, " ") is None
    assert version(Scheme.RPM, None) is None
    assert rpm is not None
    assert deb is not None
    assert rpm.is_at_least(deb) is None


def test_a_product_with_a_scheme_reads_by_it() -> None:
    product = Product(name="Kernel", os_family=OsFamily.LINUX, reads=Reads.VERSION, versions=Scheme.RPM)
    fixed = product.reading("4.18.0-553.el8")
    release = Release(name="R", released_at=JANUARY_AT, catalogued_at=JANUARY_AT, fixed=fixed)
    read = [product.comparable(None, told) for told in ("4.18.0-553.8.1.el8_10", "4.18.0-80.el8 (x86_64)", "")]

    assert [each and release.is_in(each, product) for each in read] == [True, False, None]
