"""A region's or platform's name alone is an address; an address is what it is."""

import pytest

from services.gateway.registry.regions import api_url


@pytest.mark.parametrize(
    ("vendor", "told", "expected"),
    [
        ("datto", "pinotage", "https://pinotage-api.centrastage.net"),
        ("datto", "Merlot", "https://merlot-api.centrastage.net"),
        ("ninjaone", "eu", "https://eu.ninjarmm.com"),
        ("ninjaone", "https://eu.ninjarmm.com", "https://eu.ninjarmm.com"),
        ("datto", "https://pinotage-api.centrastage.net/api", "https://pinotage-api.centrastage.net/api"),
        ("datto", "evil.example/x", "evil.example/x"),
        ("datto", "evil.example#", "evil.example#"),
        ("datto", "", ""),
        ("another", "eu", "eu"),
    ],
)
def test_a_name_alone_is_an_address(vendor: str, told: str, expected: str) -> None:
    assert api_url(vendor, told) == expected
