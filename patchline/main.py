"""`patchline`: every command of the product under one name."""

import importlib.util
import os
import sys
from typing import Final

import typer

from chassis.commands import WRONG_USE, stop
from patchline import dlq, schemas, topics, watermark
from patchline.audit.commands import app as audit_app
from patchline.capture.commands import capture
from patchline.contract.commands import app as contract_app
from patchline.diagnose.commands import diagnose
from patchline.journey.commands import journey
from patchline.local import PartUnavailable, place
from patchline.rebuild import commands as rebuilding
from patchline.signing.commands import sign
from services.compliance.catalog.commands import catalog_app
from services.compliance.clocks.commands import window_app
from services.compliance.commands import figures_app
from services.compliance.commands_obligation import obligation_app
from services.compliance.exceptions.commands import exception_app
from services.compliance.exceptions.commands_exclusion import exclusion_app
from services.compliance.exceptions.commands_registers import control_app
from services.compliance.monitors.commands import monitor_app
from services.compliance.policies.commands import policy_app
from services.compliance.priority.commands import priority_app
from services.compliance.priority.commands_triage import triage_app
from services.credentials.audit.commands import export, verify_audit
from services.credentials.cases.commands import case_app
from services.credentials.directory.commands import directory_app
from services.credentials.directory.commands_identity import identity_app
from services.credentials.directory.commands_offboarding import offboarding_app
from services.credentials.guard.commands import guard_app
from services.credentials.guard.commands_breaker import breaker_app
from services.credentials.people.commands import approver_app
from services.gateway.commands import client_app, exposure_app, source_app
from services.inventory.commands_retire import asset_app
from services.ticketing.commands import ticket_app

app: Final = typer.Typer(
    name="patchline",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The event backbone between an RMM and a PSA. Exit codes: 0 done, 1 no, 2 wrong use, 3 not reachable.",
)
if importlib.util.find_spec("simulators"):  # an image has none: it starts no parts, and is started by others
    from patchline.demo.commands import demo
    from patchline.stack import commands as stack

    app.command("up")(stack.up)
    app.command("down")(stack.down)
    app.command("status")(stack.status)
    app.command("demo")(demo)
app.command("journey")(journey)
app.command("diagnose")(diagnose)
app.command("migrate")(schemas.migrate_command)
app.command("rebuild")(rebuilding.rebuild)
app.command("replay")(rebuilding.replay_command)
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
app.add_typer(watermark.app, name="watermark")
audit_app.command("export")(export)
audit_app.command("verify")(verify_audit)
app.add_typer(audit_app, name="audit")
app.add_typer(contract_app, name="contract")
app.add_typer(client_app, name="client")
source_app.command("capture")(capture)
app.add_typer(source_app, name="source")
app.add_typer(exposure_app, name="exposure")
app.add_typer(asset_app, name="asset")
app.add_typer(catalog_app, name="catalog")
app.add_typer(obligation_app, name="obligation")
app.add_typer(figures_app, name="figures")
app.add_typer(priority_app, name="priority")
app.add_typer(triage_app, name="triage")
app.add_typer(policy_app, name="policy")
app.add_typer(window_app, name="window")
app.add_typer(monitor_app, name="monitor")
exception_app.command("sign")(sign)
app.add_typer(exception_app, name="exception")
app.add_typer(control_app, name="control")
app.add_typer(exclusion_app, name="exclusion")
app.add_typer(ticket_app, name="ticket")
app.add_typer(case_app, name="case")
app.add_typer(directory_app, name="directory")
app.add_typer(identity_app, name="identity")
app.add_typer(offboarding_app, name="offboarding")
app.add_typer(guard_app, name="guard")
app.add_typer(breaker_app, name="breaker")
app.add_typer(approver_app, name="approver")


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("PATCHLINE_HOME", str(place.home(os.environ)))
    try:
        app()
    except PartUnavailable as error:
        stop(str(error), WRONG_USE)
    except BrokenPipeError:
        sys.exit(0)
