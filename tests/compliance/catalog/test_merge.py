"""What a list adds to the catalog: nothing is lost, nothing moves, and versions put themselves in order."""

import json
from typing import Any

import pytest

from services.compliance.catalog.document import CatalogRefused
from services.compliance.catalog.entries import CatalogDocument, ProductEntry
from services.compliance.catalog.feeds import csaf
from services.compliance.catalog.feeds.found import FeedRefused, File, Options
from services.compliance.catalog.merge import merged
from services.compliance.catalog.model import Owed
from tests.compliance.catalog import files
from tests.compliance.catalog.files import needs_public_data, public
from tests.compliance.house import bundled

NONE = Options()
EL8 = "Red Hat Enterprise Linux 8"


def one(release: dict[str, Any], train: str = "cumulative") -> ProductEntry:
    known: dict[str, Any] = {"release": "KB1", "kb": "100001", "released_at": "2026-01-13T18:00:00Z"}
    return ProductEntry.model_validate(
        {"product": "Thing", "os_family": "windows", "trains": [{"train": train, "releases": [known | release]}]}
    )


def releases(known: CatalogDocument, product: str = "Thing") -> list[dict[str, Any]]:
    found = next(each for each in known.products if each.product == product)
    return [release.model_dump() | {"train": train.train} for train in found.trains for release in train.releases]


def test_what_a_list_does_not_state_stays_as_it_was_known() -> None:
    known = merged(None, [one({"reboot": True, "patches": ["Ours"], "supersedes": ["KB0"]})], name="x")

    [after] = releases(merged(known, [one({"severity": "critical", "cves": ["CVE-2026-90001"]})], name="x"))

    assert (after["reboot"], after["severity"], after["cves"]) == (True, "critical", ("CVE-2026-90001",))
    assert (after["patches"], after["supersedes"]) == (("ours",), ("KB0",))


def test_a_moment_that_is_not_sure_never_replaces_the_vendors_own() -> None:
    known = merged(None, [one({})], name="x")
    guess = {"released_at": "2026-01-20T18:00:00Z", "release_confirmed": False}

    [kept] = releases(merged(known, [one(guess)], name="x"))
    [corrected] = releases(merged(merged(None, [one(guess)], name="x"), [one({"release_confirmed": True})], name="x"))

    assert (f"{kept['released_at']:%d}", kept["release_confirmed"]) == ("13", True)
    assert (f"{corrected['released_at']:%d}", corrected["release_confirmed"]) == ("13", True)


def test_a_known_release_stays_on_its_line_so_that_its_obligations_keep_their_id() -> None:
    known = merged(None, [one({}, train="ours")], name="x")

    after = releases(merged(known, [one({})], name="x"))

    assert [each["train"] for each in after] == ["ours"]


def test_the_same_again_in_another_order_is_the_same_catalog() -> None:
    newer, older = files.advisory("RHSA-2026:0002", evr="0:3.1.3-21.el8_10"), files.advisory()
    known = bundled()

    once = merged(known, csaf.read([newer, older], NONE).products, name="x")
    first = merged(known, csaf.read([older], NONE).products, name="x")
    twice = merged(first, csaf.read([newer], NONE).products, name="x")

    assert once.digest == twice.digest
    assert merged(once, csaf.read([older], NONE).products, name="x").digest == once.digest


def test_a_list_that_contradicts_the_catalog_is_refused_by_entry() -> None:
    known = merged(None, [one({})], name="x")

    with pytest.raises(CatalogRefused, match="names more than one release"):
        merged(known, [one({"release": "KB2"})], name="x")


def test_an_advisory_is_one_release_of_its_package_owed_where_evidence_names_it() -> None:
    found = csaf.read([files.advisory()], NONE)

    [product] = found.products
    [train] = product.trains
    [release] = train.releases
    assert (product.product, product.versions, train.train, train.owed) == (EL8, "rpm", "rsync", Owed.WHEN_NAMED)
    assert (release.release, release.fixed_version) == ("RHSA-2026:0001", "0:3.1.3-20.el8_10")
    assert (release.severity, release.cves, release.patches) == ("high", ("CVE-2026-90010",), ("RHSA-2026:0001",))
    assert [(each.cve, each.cvss) for each in found.facts[0].known] == [("CVE-2026-90010", 9.8)]


def test_advisories_of_a_package_supersede_one_another_by_the_distributions_rules() -> None:
    given = [
        files.advisory("RHSA-2026:0009", evr="0:3.1.3-9.el8"),
        files.advisory("RHSA-2026:0001", evr="1:0.1-1.el8"),
        files.advisory("RHSA-2026:0005", evr="0:3.1.3-20.el8"),
    ]

    found = {
        each["release"]: each["supersedes"]
        for each in releases(merged(None, csaf.read(given, NONE).products, name="x"), EL8)
    }

    assert found == {
        "RHSA-2026:0009": (),
        "RHSA-2026:0005": ("RHSA-2026:0009",),
        "RHSA-2026:0001": ("RHSA-2026:0005",),
    }


def test_an_advisory_that_fixes_nothing_makes_no_requirement_and_keeps_its_scores() -> None:
    found = csaf.read([files.advisory(fixed=False)], NONE)

    assert (found.products, len(found.facts[0].known)) == ((), 1)
    assert "make no requirement: RHSA-2026:0001" in found.notes[0]


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"document": {"tracking": {"id": "X"}}})])
def test_what_is_no_advisory_is_refused(text: str) -> None:
    with pytest.raises(FeedRefused, match=r"^a\.json: "):
        csaf.read([File("a.json", text)], NONE)


def test_a_tree_of_another_form_is_read_as_far_as_it_goes() -> None:
    content = json.loads(files.advisory().text)
    content["product_tree"] = {
        "branches": [1, {"product": [], "full_product_names": ["x"]}],
        "relationships": ["y", {}],
    }

    found = csaf.read([File("a.json", json.dumps(content))], NONE)

    assert found.products == ()


@needs_public_data
def test_the_real_samples_are_read() -> None:
    telnet = csaf.read([public("csaf/rhsa-2022_0011.json")], NONE)
    others = [csaf.read([public(f"csaf/{name}.json")], NONE) for name in ("bsi-2022-0001", "sec-vex-2022-0001")]

    [product] = telnet.products
    assert product.product == "Red Hat Enterprise Linux 7"
    assert product.trains[0].releases[0].fixed_version == "1:0.17-65.el7_6"
    assert [each.product for each in others[0].products] == ["CSAF Tools CVRF-CSAF-Converter"]
    assert others[1].products == ()
