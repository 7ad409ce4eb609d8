"""The process that translates: raw deliveries in, canonical events out, parked ones released."""

from collections.abc import Callable
from functools import partial
from typing import Final

from pydantic import Field

from chassis.consumer import BatchConsumer
from chassis.errors import WrongSetting
from chassis.lanes import bulk_group
from chassis.platform import Platform, platform
from chassis.running import Part, run_to_the_end, run_until_stopped
from chassis.settings import read
from contracts.raw import RawDelivery, delivery_of
from contracts.topics import EXPOSURES_RAW, PSA_RAW, RMM_RAW, RMM_RAW_BULK, Lane
from services.gateway import vendors
from services.gateway.door.drain import DrainSpool
from services.gateway.keys.safe import Safe, opened_safe
from services.gateway.settings import GatewaySettings
from services.gateway.translation.opening import Opening
from services.gateway.translation.parked import ReleaseParked
from services.gateway.translation.translate import Translate
from services.gateway.translation.translate_exposures import TranslateExposures
from services.gateway.translation.translate_psa import TranslatePsa
from services.gateway.vendors import exposure_feeds
from services.gateway.vendors.datto_words import Words
from services.gateway.vendors.ninjaone_places import PatchFinder, PatchPlaces
from services.gateway.vendors.translation import Translation

GROUP: Final = "gateway"
"""The consumer group; dead letters are replayed to it."""

PSA_GROUP: Final = "gateway-psa"
"""The one of what PSAs deliver: a flood of theirs delays nothing that an RMM tells."""

EXPOSURES_GROUP: Final = "gateway-exposures"
EXPOSURE_RECORDS: Final = 50
"""So many deliveries of feeds in one transaction: one of them may name ten thousand accounts."""


class TranslateSettings(GatewaySettings):
    """What this process needs."""

    translate_records: int = Field(default=1000, ge=1, le=10_000, description="raw records in one transaction")
    translate_apart_seconds: float = Field(default=0.025, ge=0, le=5, description="between two polls where much comes")
    ninjaone_patch_places: dict[str, list[str]] = Field(
        default_factory=dict, description='where a NinjaOne webhook names its patch, as JSON: {"kb": ["data.kb"]}'
    )
    datto_words: dict[str, list[str]] = Field(
        default_factory=dict, description='the words of Datto RMM\'s alerts, as JSON: {"failed": ["failed"]}'
    )


def translator(settings: TranslateSettings) -> Callable[[RawDelivery], Translation]:
    """Return what translates one delivery of any vendor.

    Raises:
        WrongSetting: the declared places or words are none that can be.
    """
    try:
        finder = PatchFinder(PatchPlaces.of(settings.ninjaone_patch_places))
    except ValueError as error:
        raise WrongSetting(f"PATCHLINE_NINJAONE_PATCH_PLACES: {error}") from error
    try:
        words = Words.of(settings.datto_words)
    except ValueError as error:
        raise WrongSetting(f"PATCHLINE_DATTO_WORDS: {error}") from error
    return partial(vendors.translated, by_vendor=vendors.adapters(finder, words))


async def run(settings: TranslateSettings) -> None:
    """Translate until SIGTERM."""
    async with platform(settings, "gateway-translate") as on, opened_safe(settings, on.pool.acquire) as safe:
        drainer = DrainSpool(pool=on.pool, dsn=settings.dsn, kafka=on.kafka, progress=on.progress)
        only_live: list[Part] = settings.lanes.served([ReleaseParked(on), drainer], [])
        relays = settings.lanes.served([on.relay], [])
        await run_until_stopped(
            [consumers(settings, on, safe), only_live, [*relays, on.health]], drain_seconds=settings.drain_seconds
        )


def consumers(settings: TranslateSettings, on: Platform, safe: Safe) -> list[Part]:
    """Return the consumers of the lanes that this process serves."""
    translate = translator(settings)
    live_bodies, bulk_bodies, psa_bodies = (Opening(safe.bodies(), translate) for _ in range(3))
    live = BatchConsumer(
        group=GROUP,
        topics=[RMM_RAW],
        decode=delivery_of,
        handler=Translate(live_bodies.translated, Lane.LIVE),
        on=on,
        max_records=settings.translate_records,
        apart_seconds=settings.translate_apart_seconds,
        prepare=live_bodies.prepare,
    )
    bulk = BatchConsumer(
        group=bulk_group(GROUP),
        topics=[RMM_RAW_BULK],
        decode=delivery_of,
        handler=Translate(bulk_bodies.translated, Lane.BULK),
        on=on,
        prepare=bulk_bodies.prepare,
    )
    psa = BatchConsumer(
        group=PSA_GROUP,
        topics=[PSA_RAW],
        decode=delivery_of,
        handler=TranslatePsa(psa_bodies.translated),
        on=on,
        prepare=psa_bodies.prepare,
    )
    return settings.lanes.served([live, psa, _of_exposures(on, safe)], [bulk])


def _of_exposures(on: Platform, safe: Safe) -> Part:
    bodies = Opening(safe.bodies(), exposure_feeds.translated)
    return BatchConsumer(
        group=EXPOSURES_GROUP,
        topics=[EXPOSURES_RAW],
        decode=delivery_of,
        handler=TranslateExposures(bodies.translated),
        on=on,
        max_records=EXPOSURE_RECORDS,
        prepare=bodies.prepare,
    )


def main() -> None:
    """Run this process to its end."""
    settings = read(TranslateSettings)
    run_to_the_end("gateway-translate", settings, lambda: run(settings))
