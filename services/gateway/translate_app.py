"""The process that translates: raw deliveries in, canonical events out, parked ones released."""

from collections.abc import Callable
from functools import partial
from typing import Final

from pydantic import Field

from chassis.consumer import BatchConsumer
from chassis.errors import WrongSetting
from chassis.platform import platform
from chassis.running import run_to_the_end, run_until_stopped
from chassis.settings import Settings, read
from contracts.raw import RawDelivery, delivery_of
from contracts.topics import RMM_RAW
from services.gateway import vendors
from services.gateway.parked import ReleaseParked
from services.gateway.translate import Translate
from services.gateway.vendors.ninjaone_places import PatchFinder, PatchPlaces
from services.gateway.vendors.translation import Translation

GROUP: Final = "gateway"
"""The consumer group; dead letters are replayed to it."""


class TranslateSettings(Settings):
    """What this process needs."""

    translate_records: int = Field(default=1000, ge=1, le=10_000, description="raw records in one transaction")
    ninjaone_patch_places: dict[str, list[str]] = Field(
        default_factory=dict, description='where a NinjaOne webhook names its patch, as JSON: {"kb": ["data.kb"]}'
    )


def translator(settings: TranslateSettings) -> Callable[[RawDelivery], Translation]:
    """Return what translates one delivery of any vendor.

    Raises:
        WrongSetting: the declared places are none that can be.
    """
    try:
        finder = PatchFinder(PatchPlaces.of(settings.ninjaone_patch_places))
    except ValueError as error:
        raise WrongSetting(f"PATCHLINE_NINJAONE_PATCH_PLACES: {error}") from error
    return partial(vendors.translated, by_vendor=vendors.adapters(finder))


async def run(settings: TranslateSettings) -> None:
    """Translate until SIGTERM."""
    async with platform(settings, "gateway-translate") as on:
        consumer = BatchConsumer(
            group=GROUP,
            topics=[RMM_RAW],
            decode=delivery_of,
            handler=Translate(translator(settings)),
            on=on,
            max_records=settings.translate_records,
        )
        await run_until_stopped(
            [[consumer], [ReleaseParked(on)], [on.relay, on.health]], drain_seconds=settings.drain_seconds
        )


def main() -> None:
    """Run this process to its end."""
    settings = read(TranslateSettings)
    run_to_the_end("gateway-translate", settings, lambda: run(settings))
