"""What is sent of a day: everything that was told, the ordinary dirt, and both formats as their adapters read them."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from contracts import ids
from contracts.raw import RawDelivery
from services.gateway.vendors import datto, ninjaone, patchline
from services.gateway.vendors.translation import Translation
from simulators.day import day
from simulators.deliveries import SECRET_HEADER, Delivery, Nature, headers_of
from simulators.fleet import DATTO_CLINIC, NINJAONE_MAIN, PATCHLINE_SCRIPTS
from simulators.ledger import UNDATED, ledger
from simulators.plan import Plan, plan
from simulators.script import NOW, What

ADAPTERS: dict[str, Callable[[RawDelivery], Translation]] = {
    "ninjaone": ninjaone.translated,
    "datto": datto.translated,
    "patchline": patchline.translated,
}
SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TYPE_OF = {
    What.ENROLLED: "device.seen.v1",
    What.UPDATED: "device.updated.v1",
    What.SCANNED: "patch.scan_completed.v1",
    What.LISTED: "patch.detected.v1",
    What.NO_LONGER_LISTED: "patch.no_longer_listed.v1",
    What.APPROVED: "patch.approved.v1",
    What.REJECTED: "patch.rejected.v1",
    What.INSTALLED: "patch.install_reported.v1",
    What.FAILED: "patch.install_failed.v1",
    What.ROLLED_BACK: "patch.rolled_back.v1",
    What.RESTART_PENDING: "patch.reboot_pending.v1",
    What.RESTARTED: "device.booted.v1",
    What.OFFLINE: "device.offline.v1",
    What.ONLINE: "device.online.v1",
    What.ALERT: "alert.raised.v1",
    What.ALERT_OVER: "alert.reset.v1",
}


@pytest.fixture(scope="module")
def usual_plan() -> Plan:
    return plan(day(seed=1, devices=400))


def of(usual_plan: Plan, *natures: Nature) -> list[Delivery]:
    return [delivery for delivery in usual_plan.deliveries if delivery.nature in natures]


def read(delivery: Delivery) -> Translation:
    """Translate a delivery as the gateway would."""
    return ADAPTERS[delivery.source.vendor](
        RawDelivery(
            raw_id=ids.new_raw_id(),
            vendor=delivery.source.vendor,
            source=delivery.source.full_name,
            received=NOW,
            channel="webhook",
            body=delivery.body,
            delivery=delivery.delivery_id if delivery.source.vendor == "patchline" else None,
        )
    )


def test_the_same_day_is_sent_in_the_same_order(usual_plan: Plan) -> None:
    assert plan(day(seed=1, devices=400)) == usual_plan


@pytest.mark.parametrize("devices", [10, 40, 60])
@pytest.mark.parametrize("seed", range(3))
def test_a_small_fleet_has_its_day_too(*, seed: int, devices: int) -> None:
    sent = plan(day(seed=seed, devices=devices))

    assert sent.count(Nature.TRUE) > devices
    assert sent.count(Nature.UGLY) >= 12


def test_everything_that_was_told_is_sent_once_and_what_was_lost_never(usual_plan: Plan) -> None:
    sent = Counter(delivery.happening for delivery in of(usual_plan, Nature.TRUE))

    assert set(sent) == {happening for happening in usual_plan.day.happenings if happening.told}
    assert set(sent.values()) == {1}


def test_every_good_delivery_says_what_happened_on_which_device_and_when(usual_plan: Plan) -> None:
    for delivery in of(usual_plan, Nature.TRUE):
        happening = delivery.happening
        assert happening is not None
        if delivery.source is DATTO_CLINIC:
            continue

        [said] = read(delivery).said

        assert TYPE_OF[happening.what] == said.event.TYPE
        assert said.event.device == happening.device.vendor_id
        assert abs(said.time - happening.at) < timedelta(milliseconds=1)


def test_what_datto_pushes_is_alerts_however_it_is_escaped_and_they_tell_what_the_ledger_expects(
    usual_plan: Plan,
) -> None:
    pushed = [each for each in of(usual_plan, Nature.TRUE) if each.source is DATTO_CLINIC]
    expected = {key: n for key, n in ledger(usual_plan, pushed, {}, NOW).told.items() if key.source in UNDATED}

    found = Counter(
        (said.event.device, said.event.TYPE, json.loads(said.event.model_dump_json()).get("patch", {}).get("kb", ""))
        for each in pushed
        for said in read(each).said
    )

    assert found == {(told.device, TYPE_OF[told.what], told.patch): times for told, times in expected.items()}
    assert {b'"message":"Patch "' in each.body for each in pushed if each.name == What.FAILED} == {True, False}


def test_a_failure_names_its_patch_and_its_code_in_all_formats(usual_plan: Plan) -> None:
    failures = [each for each in of(usual_plan, Nature.TRUE) if each.happening and each.happening.what is What.FAILED]

    assert {delivery.source.vendor for delivery in failures} == {"ninjaone", "datto", "patchline"}
    for delivery in failures:
        told = json.loads(read(delivery).said[-1].event.model_dump_json())
        release = delivery.happening.release if delivery.happening else None
        assert release is not None
        assert told["patch"]["kb"] == release.kb
        assert told["patch"].get("title") == (None if delivery.source is DATTO_CLINIC else release.title)
        assert told["code"].startswith("0x")


def test_a_repeat_has_the_same_body_and_id_and_comes_later(usual_plan: Plan) -> None:
    position = {(each.delivery_id, each.nature): place for place, each in enumerate(usual_plan.deliveries)}
    first = {each.delivery_id: each for each in of(usual_plan, Nature.TRUE)}
    repeats = of(usual_plan, Nature.REPEATED)

    assert len(repeats) > 100
    for repeat in repeats:
        assert repeat.body == first[repeat.delivery_id].body
        assert position[repeat.delivery_id, Nature.REPEATED] > position[repeat.delivery_id, Nature.TRUE]


def test_some_deliveries_overtake_others(usual_plan: Plan) -> None:
    moments = [each.happening.at for each in of(usual_plan, Nature.TRUE) if each.happening]

    assert any(later < earlier for earlier, later in pairwise(moments))


@pytest.mark.parametrize("seed", range(1, 4))
def test_failures_of_one_ticket_arrive_well_before_any_of_them_is_mended(seed: int) -> None:
    sent = plan(day(seed=seed, devices=400)).deliveries
    position = {(each.happening, each.nature): place for place, each in enumerate(sent)}
    told = [each for each, nature in position if nature is Nature.TRUE and each and each.release]
    failures = [each for each in told if each.what is What.FAILED]
    cures = [
        each
        for each in told
        if each.what is What.INSTALLED
        and any((each.device, each.release) == (failure.device, failure.release) for failure in failures)
    ]

    assert cures
    for cure in cures:
        for failure in failures:
            if (failure.device.client, failure.release) == (cure.device.client, cure.release):
                assert position[cure, Nature.TRUE] - position[failure, Nature.TRUE] >= 250


@pytest.mark.parametrize("source", [NINJAONE_MAIN, PATCHLINE_SCRIPTS])
def test_no_ugly_body_can_be_understood_and_each_is_ugly_in_its_own_way(usual_plan: Plan, source: object) -> None:
    ugly = [delivery for delivery in of(usual_plan, Nature.UGLY) if delivery.source == source]

    assert len(ugly) == len({delivery.name for delivery in ugly}) >= 12
    for delivery in ugly:
        translation = read(delivery)
        assert translation.problems, delivery.name
        assert not translation.said


def test_a_template_that_names_no_device_is_no_event(usual_plan: Plan) -> None:
    ugly = [delivery for delivery in of(usual_plan, Nature.UGLY) if delivery.source is DATTO_CLINIC]

    assert len(ugly) == len({delivery.name for delivery in ugly}) >= 3
    assert all(read(each).problems and not read(each).said for each in ugly)


def test_an_unknown_code_is_no_event_and_no_error(usual_plan: Plan) -> None:
    for delivery in of(usual_plan, Nature.UNKNOWN_CODE):
        translation = read(delivery)

        assert [each.is_known for each in translation.unsaid] == [False]
        assert delivery.name in translation.unsaid[0].code


def test_a_static_secret_travels_in_its_header(usual_plan: Plan) -> None:
    delivery = next(each for each in of(usual_plan, Nature.TRUE) if each.source == NINJAONE_MAIN)

    assert headers_of(delivery, "s" * 20, NOW)[SECRET_HEADER] == "s" * 20


def test_a_signature_is_what_the_standards_own_library_accepts(usual_plan: Plan) -> None:
    delivery = next(each for each in of(usual_plan, Nature.TRUE) if each.source == PATCHLINE_SCRIPTS)
    headers = headers_of(delivery, SIGNING_SECRET, datetime.now(UTC))

    assert Webhook(SIGNING_SECRET).verify(delivery.body.decode(), headers) == json.loads(delivery.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING_SECRET).verify(delivery.body.decode() + " ", headers)


def test_what_was_signed_an_hour_ago_is_too_old_for_the_library(usual_plan: Plan) -> None:
    [old] = [each for each in of(usual_plan, Nature.FORGED) if each.age]

    with pytest.raises(WebhookVerificationError):
        Webhook(SIGNING_SECRET).verify(old.body.decode(), headers_of(old, SIGNING_SECRET, datetime.now(UTC)))


def test_some_scripts_forget_to_say_what_they_send(usual_plan: Plan) -> None:
    silent = [each for each in of(usual_plan, Nature.TRUE) if each.content_type is None]

    assert silent
    assert all("content-type" not in headers_of(each, SIGNING_SECRET, NOW) for each in silent)
