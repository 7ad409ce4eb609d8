"""Names, secrets and rotations of sources."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.door.verification import (
    SignedBody,
    SignedCallback,
    StandardWebhooks,
    StaticHeader,
    Verified,
    verdict,
)
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry import schemes, sources
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import LiveSecret, Rotation, StoredSource
from tests.gateway.held import body_key

KEY = SealingKey(b"k" * 32)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAIN = "rmm/patchline/main"


def stored(
    scheme: Scheme, *secrets: str, source_id: str = MAIN, key: SealingKey = KEY, vendor: str = "patchline"
) -> StoredSource:
    materials = [schemes.material(scheme, each, source_id=source_id, sealing_key=key) for each in secrets]
    header = "x-shared" if scheme is Scheme.STATIC_HEADER else None
    return StoredSource(source_id=source_id, vendor=vendor, scheme=scheme, header_name=header, materials=materials)


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("main", True),
        ("eu-2", True),
        ("a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("Main", False),
        ("-a", False),
        ("a-", False),
        ("a/b", False),
        ("a.b", False),
        ("é", False),
        ("a\n", False),
    ],
)
def test_names_of_sources(text: str, *, possible: bool) -> None:
    assert sources.is_name(text) is possible


@pytest.mark.parametrize(
    ("text", "source_id"),
    [
        ("ninjaone/main", "rmm/ninjaone/main"),
        ("rmm/ninjaone/main", "rmm/ninjaone/main"),
        ("ninjaone", None),
        ("rmm/ninjaone", None),
        ("ninjaone/main/x", None),
        ("psa/ninjaone/main", None),
        ("roundup/main", "psa/roundup/main"),
        ("psa/roundup/main", "psa/roundup/main"),
        ("rmm/roundup/main", None),
        ("rmm/psa/roundup/main", None),
        ("spycloud/main", "exposure/spycloud/main"),
        ("exposure/patchline/own", "exposure/patchline/own"),
        ("patchline/own", "rmm/patchline/own"),
        ("exposure/ninjaone/main", None),
        ("rmm/spycloud/main", None),
        ("", None),
    ],
)
def test_what_a_person_may_type_for_a_source(text: str, source_id: str | None) -> None:
    assert sources.named_source(text) == source_id


@pytest.mark.parametrize(
    ("text", "possible"),
    [("x-shared", True), ("authorization", True), ("content-length", False), ("x shared", False), ("X-Shared", False)],
)
def test_headers_of_secrets(text: str, *, possible: bool) -> None:
    assert sources.is_header(text) is possible


@pytest.mark.parametrize("scheme", [scheme for scheme in Scheme if scheme not in schemes.KEYLESS])
def test_a_new_secret_is_one_that_is_accepted(scheme: Scheme) -> None:
    secret = schemes.new_secret(scheme)

    assert schemes.is_secret(scheme, secret)
    assert secret != schemes.new_secret(scheme)


@pytest.mark.parametrize(
    ("scheme", "secret", "accepted"),
    [
        pytest.param(Scheme.STANDARD_WEBHOOKS, "whsec_" + "A" * 32, True, id="24 bytes"),
        pytest.param(Scheme.STANDARD_WEBHOOKS, "whsec_" + "A" * 31 + "=", False, id="23 bytes"),
        pytest.param(Scheme.STANDARD_WEBHOOKS, "whsec_" + "A" * 43, True, id="32 bytes, unpadded"),
        pytest.param(Scheme.STANDARD_WEBHOOKS, "whsec_" + "A" * 88, False, id="66 bytes"),
        pytest.param(Scheme.STANDARD_WEBHOOKS, "A" * 32, False, id="no prefix"),
        pytest.param(Scheme.STANDARD_WEBHOOKS, "whsec_" + "?" * 32, False, id="not base64"),
        pytest.param(Scheme.STATIC_HEADER, "sixteen-letters!", True, id="16 letters"),
        pytest.param(Scheme.STATIC_HEADER, "fifteen-letters", False, id="15 letters"),
        pytest.param(Scheme.STATIC_HEADER, "with a newline\nin it", False, id="no header value"),
        pytest.param(Scheme.HMAC_SHA256, "sixteen-letters!", True, id="a key for signatures"),
        pytest.param(Scheme.CONNECTWISE_CALLBACK, "sixteen-letters!", False, id="a key that is not ours to choose"),
    ],
)
def test_secrets_that_senders_choose(scheme: Scheme, secret: str, *, accepted: bool) -> None:
    assert schemes.is_secret(scheme, secret) is accepted


def test_of_a_static_secret_only_a_hash_is_kept() -> None:
    kept = schemes.material(Scheme.STATIC_HEADER, "a shared secret", source_id=MAIN, sealing_key=KEY)

    assert kept == hashlib.sha256(b"a shared secret").digest()


def test_a_signing_key_is_kept_sealed() -> None:
    secret = schemes.new_secret(Scheme.STANDARD_WEBHOOKS)

    source = sources.known([stored(Scheme.STANDARD_WEBHOOKS, secret)], KEY, {})[0][sources.path(MAIN)]

    assert isinstance(source.scheme, StandardWebhooks)
    assert source.scheme.keys[0] == base64.b64decode(secret.removeprefix("whsec_"))


def test_sources_are_found_by_the_path_they_deliver_to() -> None:
    by_path, broken = sources.known(
        [stored(Scheme.STATIC_HEADER, "a shared secret", source_id="rmm/ninjaone/main")], KEY, {}
    )

    assert set(by_path) == {"/webhooks/rmm/ninjaone/main", "/webhooks/rmm/ninjaone/main/bulk"}
    assert by_path["/webhooks/rmm/ninjaone/main"].source_id == "rmm/ninjaone/main"
    assert broken == []


def test_a_ticket_system_has_a_path_of_its_own_and_no_lanes() -> None:
    desk = stored(Scheme.HMAC_SHA256, "a shared secret!", source_id="psa/roundup/desk", vendor="roundup")

    by_path, broken = sources.known([desk], KEY, {})

    assert (set(by_path), broken) == ({"/webhooks/psa/roundup/desk"}, [])
    desk_source = by_path["/webhooks/psa/roundup/desk"]
    assert desk_source.kind is sources.Kind.PSA
    assert isinstance(desk_source.scheme, SignedBody)
    assert desk_source.scheme.keys[0] == b"a shared secret!"


def test_a_source_of_callbacks_believes_keys_of_its_hosts_as_they_come() -> None:
    keys: dict[str, str] = {}
    calling = StoredSource(
        source_id="psa/connectwise/main",
        vendor="connectwise",
        scheme=Scheme.CONNECTWISE_CALLBACK,
        header_name=None,
        materials=(),
        key_hosts=("*.myconnectwise.net",),
    )

    by_path, _ = sources.known([calling], KEY, {}, keys)
    keys["https://na.myconnectwise.net/keys/1"] = "fetched later"

    scheme = by_path["/webhooks/psa/connectwise/main"].scheme
    assert isinstance(scheme, SignedCallback)
    assert scheme.hosts == {"*.myconnectwise.net"}
    assert dict(scheme.keys) == keys


def test_a_source_with_one_live_secret_is_compared_with_two() -> None:
    by_path, _ = sources.known([stored(Scheme.STATIC_HEADER, "a shared secret")], KEY, {})
    again, _ = sources.known([stored(Scheme.STATIC_HEADER, "a shared secret")], KEY, {})
    one, other = by_path[sources.path(MAIN)], again[sources.path(MAIN)]

    assert isinstance(one.scheme, StaticHeader)
    assert isinstance(other.scheme, StaticHeader)
    assert one.scheme.digests[0] == other.scheme.digests[0]
    assert one.scheme.digests[1] != other.scheme.digests[1]


def test_a_secret_that_does_not_open_takes_away_its_own_source_only() -> None:
    foreign = stored(
        Scheme.STANDARD_WEBHOOKS,
        schemes.new_secret(Scheme.STANDARD_WEBHOOKS),
        source_id="rmm/patchline/foreign",
        key=SealingKey(b"l" * 32),
    )
    good = stored(Scheme.STANDARD_WEBHOOKS, schemes.new_secret(Scheme.STANDARD_WEBHOOKS))

    by_path, broken = sources.known([foreign, good], KEY, {})

    assert {source.source_id for source in by_path.values()} == {"rmm/patchline/main"}
    assert len(broken) == 1
    assert "rmm/patchline/foreign" in broken[0]


FIRST, SECOND = LiveSecret(0, NOON), LiveSecret(1, NOON + timedelta(days=1))


@pytest.mark.parametrize(
    ("live", "at_once", "expected"),
    [
        pytest.param([], False, Rotation(0, ()), id="none yet"),
        pytest.param([FIRST], False, Rotation(1, ()), id="beside the one"),
        pytest.param([SECOND], False, Rotation(0, ()), id="beside the other"),
        pytest.param([FIRST, SECOND], False, Rotation(0, (0,)), id="in place of the oldest"),
        pytest.param([SECOND, FIRST], False, Rotation(0, (0,)), id="whatever their order"),
        pytest.param([FIRST], True, Rotation(0, (0,)), id="in place of the only one, at once"),
        pytest.param([FIRST, SECOND], True, Rotation(0, (0, 1)), id="in place of both, at once"),
    ],
)
def test_where_a_new_secret_goes(live: list[LiveSecret], expected: Rotation, *, at_once: bool) -> None:
    assert sources.rotation(live, at_once=at_once) == expected


@given(st.lists(st.booleans(), max_size=8))
def test_however_often_it_is_rotated_the_newest_is_live_and_at_most_one_other(at_once: list[bool]) -> None:
    live: list[LiveSecret] = []
    for day, one in enumerate(at_once):
        plan = sources.rotation(live, at_once=one)
        live = [secret for secret in live if secret.slot not in plan.retired]
        assert plan.slot not in {secret.slot for secret in live}
        live.append(LiveSecret(plan.slot, NOON + timedelta(days=day)))

    days = [secret.created_at for secret in live]
    assert len(live) <= 2
    assert not at_once or max(days) == NOON + timedelta(days=len(at_once) - 1)
    assert not at_once or at_once[-1] is (len(live) == 1) or len(at_once) == 1


def test_a_source_without_its_data_key_is_known_and_seals_nothing() -> None:
    good = stored(Scheme.STATIC_HEADER, "a shared secret")

    without, _ = sources.known([good], KEY, {})
    with_key, _ = sources.known([good], KEY, {MAIN: body_key(MAIN)})

    assert without[sources.path(MAIN)].seal is None
    assert with_key[sources.path(MAIN)].seal is not None


AGENTS = "rmm/glpi-agent/acme"


def test_agents_have_one_path_and_a_password_with_the_sources_name() -> None:
    password = schemes.new_secret(Scheme.BASIC)
    agents = stored(Scheme.BASIC, password, source_id=AGENTS, vendor="glpi-agent")

    by_path, broken = sources.known([agents], KEY, {})

    assert (list(by_path), broken) == (["/agents/glpi-agent/acme"], [])
    assert agents.materials == [hashlib.sha256(f"acme:{password}".encode()).digest()]
    login = base64.b64encode(f"acme:{password}".encode())
    for header, is_believed in ((b"Basic " + login, True), (b"basic  " + login, True), (login, False), (b"", False)):
        told = verdict(by_path["/agents/glpi-agent/acme"].scheme, {b"authorization": header}, b"", now=NOON)
        assert isinstance(told, Verified) is is_believed


@pytest.mark.parametrize(
    ("vendor", "scheme", "fits"),
    [
        ("glpi-agent", Scheme.BASIC, True),
        ("glpi-agent", Scheme.STATIC_HEADER, False),
        ("ninjaone", Scheme.BASIC, False),
        ("ninjaone", Scheme.STATIC_HEADER, True),
    ],
)
def test_a_password_is_for_agents_and_for_them_alone(vendor: str, scheme: Scheme, *, fits: bool) -> None:
    assert (schemes.unfit(vendor, scheme, has_key_hosts=False) is None) is fits


def test_agents_may_send_little_live_unless_told_otherwise() -> None:
    agents = stored(Scheme.BASIC, "a password of agents", source_id=AGENTS, vendor="glpi-agent")

    for live_rate, per_second in ((None, sources.REPORTS_A_SECOND), (50.0, 50.0)):
        by_path, _ = sources.known([replace(agents, live_rate=live_rate)], KEY, {})
        rate = by_path["/agents/glpi-agent/acme"].rate
        assert rate is not None
        assert rate.per_second == per_second
