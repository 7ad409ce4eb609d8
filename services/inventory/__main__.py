"""`python -m services.inventory`."""

from functools import partial

from chassis.running import run_to_the_end
from chassis.settings import read
from services.inventory.app import InventorySettings, run

settings = read(InventorySettings)
run_to_the_end("inventory", settings, partial(run, settings))
