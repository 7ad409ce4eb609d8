"""`python -m services.compliance`."""

from functools import partial

from chassis.running import run_process
from chassis.settings import read
from services.compliance.app import ComplianceSettings, run

settings = read(ComplianceSettings)
run_process("compliance", settings, partial(run, settings))
