"""`patchline up|down|status`: the local stack."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from chassis import commands
from patchline.contract.serving import PORT as CONTRACT_PORT
from patchline.contract.serving import served
from patchline.local import PartUnavailable, place, psa, runs
from patchline.local.parts import PartSettings
from patchline.local.psa import Psa
from patchline.stack.programs import PERSON_FILE
from patchline.stack.stack import GATEWAY_PORT, HEALTH_PORT, SIMULATOR_PORT, StackSettings, started

READY_LINE: Final = "patchline is up"
CONTRACT_LINE: Final = "contract:  "
START_SECONDS: Final = 300

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
PsaKind = Annotated[Psa, typer.Option("--psa", envvar="PATCHLINE_PSA", help="Which ticket system is started.")]


def stack_settings(kind: Psa = Psa.ROUNDUP) -> StackSettings:
    """Return the settings of the local stack, with that ticket system, from the environment.

    Raises:
        PartUnavailable: a port is none.
    """
    return StackSettings(
        parts=PartSettings.from_environment(os.environ, kind=kind),
        gateway_port=int(os.environ.get("PATCHLINE_GATEWAY_PORT", GATEWAY_PORT)),
        health_port=int(os.environ.get("PATCHLINE_STACK_HEALTH_PORT", HEALTH_PORT)),
        simulator_port=int(os.environ.get("PATCHLINE_SIMULATOR_PORT", SIMULATOR_PORT)),
        clock_offset_seconds=float(os.environ.get("PATCHLINE_CLOCK_OFFSET_SECONDS", "0")),
    )


def up(
    *,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and stop everything at Ctrl-C.")] = False,
    psa_kind: PsaKind = Psa.ROUNDUP,
) -> None:
    """Start the real parts and every service on this machine; data survive a restart.

    Starts Apache Kafka, PostgreSQL, a ticket system and the services on 127.0.0.1. PATCHLINE_KAFKA and DATABASE_URL
    point at parts that run elsewhere. Request Tracker needs Debian's packages of it; ConnectWise is a simulated one,
    which forgets its tickets when it stops.

    Example: patchline up --psa rt
    """
    try:
        if foreground:
            _stay(psa_kind)
        else:
            _detach(psa_kind)
    except PartUnavailable as error:
        commands.stop(str(error), commands.UNREACHABLE)


def down() -> None:
    """Stop what `patchline up` started, and nothing else.

    Example: patchline down
    """
    if not runs.down(place.home(os.environ), _say):
        _say("nothing is up")


def status(*, as_json: Json = False) -> None:
    """Show what is up; exit code 1 if something that was started is gone.

    Example: patchline status --json
    """
    entries = runs.recorded(place.home(os.environ))
    rows = [
        {"name": each.name, "state": "running" if each.is_alive else "gone", "process": each.pid, "address": each.url}
        for each in entries
    ]
    commands.show(rows, title="Local stack", as_json=as_json)
    raise SystemExit(commands.OK if all(each.is_alive for each in entries) else commands.NO)


def _stay(kind: Psa) -> None:
    settings = stack_settings(kind)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    contract_port = int(os.environ.get("PATCHLINE_CONTRACT_PORT", CONTRACT_PORT))
    with runs.supervised(settings.parts.home), served(contract_port) as contract, started(settings, _say) as stack:
        runs.record(settings.parts.home, stack.running())
        _say(f"webhooks:  {stack.around.gateway_url}/webhooks/rmm/<vendor>/<source>")
        _say(f"{CONTRACT_LINE}{contract}")
        _say(f"simulated RMM: {stack.around.simulator_url}")
        if stack.parts.desk:
            password = stack.around.secrets / PERSON_FILE
            _say(f"tickets:   {psa.TITLE[kind]}, {psa.page(stack.parts.desk).told(password)}")
        _say(f"{READY_LINE}; stop it with: patchline down")
        while not stop.wait(1):
            gone = [child.name for child in stack.children.values() if not child.is_running]
            if gone:
                _say(f"{', '.join(gone)} ended; see {settings.parts.home / 'logs'}")
                raise SystemExit(commands.NO)


def _detach(kind: Psa) -> None:
    """Start `up --foreground` in a session of its own and follow what it says until it is ready."""
    log = place.made(place.home(os.environ)) / "up.log"
    log.write_text("")
    with log.open("a") as output:
        supervisor = subprocess.Popen(  # noqa: S603 - the kind is one of ours
            [sys.executable, "-m", "patchline", "up", "--foreground", "--psa", kind.value],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _follow(log, supervisor)


def _follow(log: Path, supervisor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with log.open() as lines:
        while True:
            line = lines.readline()
            if line:
                sys.stdout.write(line)
                sys.stdout.flush()
                if line.startswith(READY_LINE):
                    return
            elif supervisor.poll() is not None:
                raise SystemExit(supervisor.returncode or commands.NO)
            elif time.monotonic() > deadline:
                supervisor.terminate()
                commands.stop(f"not up after {START_SECONDS} s; see {log}", commands.UNREACHABLE)
            else:
                time.sleep(0.05)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
