"""`python -m services.inventory`."""

from functools import partial

from chassis.running import run_process
from chassis.settings import read
from services.inventory.app import InventorySettings, run

settings = read(InventorySettings)
run_process("inventory", settings, partial(run, settings))
