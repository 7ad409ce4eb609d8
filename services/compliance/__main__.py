"""`python -m services.compliance`."""

from functools import partial

from chassis.running import run_to_the_end
from chassis.settings import read
from services.compliance.app import ComplianceSettings, run

settings = read(ComplianceSettings)
run_to_the_end("compliance", settings, partial(run, settings))
