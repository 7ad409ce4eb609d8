"""Each kind of directory has a page that names everything that an operator may say of it."""

from pathlib import Path

import pytest

from services.credentials.adapters.choice import CONNECT
from services.credentials.adapters.link import Kind
from services.credentials.adapters.options import OPTIONS
from simulators import entra, google, okta

PAGES = Path(__file__).resolve().parents[2] / "docs" / "directories"


@pytest.mark.parametrize("kind", Kind)
def test_every_option_of_a_directory_is_on_its_page(kind: Kind) -> None:
    page = (PAGES / f"{kind}.md").read_text()

    assert kind in CONNECT
    assert [name for name in OPTIONS[kind].model_fields if f"`{name}`" not in page] == []


@pytest.mark.parametrize(("page", "least"), [("entra", entra.LEAST), ("okta", okta.LEAST), ("google", google.LEAST)])
def test_the_permissions_that_suffice_for_a_simulated_provider_are_those_on_its_page(
    page: str, least: frozenset[str]
) -> None:
    text = (PAGES / f"{page}.md").read_text()

    assert [each for each in sorted(least) if f"`{each}`" not in text] == []
