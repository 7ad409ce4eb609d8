"""A process drains at SIGTERM and exits 0; a part that fails takes the others down in order; health tells the truth."""

import asyncio
import signal
import subprocess
import sys
import textwrap

import httpx
import pytest

from chassis import health
from chassis.health import HealthServer, Progress
from patchline.local import ports

PROGRAM = textwrap.dedent("""
    import asyncio, sys
    from chassis.running import run_to_the_end, run_until_stopped
    from chassis.settings import Settings
    from chassis.errors import NeverWorks

    class Part:
        def __init__(self, name, wait=0.0, fails=None):
            self.name, self.wait, self.fails = name, wait, fails
        async def run(self, stopping):
            if self.fails:
                raise self.fails
            print("started", self.name, flush=True)
            await stopping.wait()
            await asyncio.sleep(self.wait)
            print("finished", self.name, flush=True)

    fails = {"never": NeverWorks("the log was cut"), "bug": ValueError("oh"), "": None}[sys.argv[1]]
    parts = [[Part("consumer", 0.2)], [Part("relay", fails=fails)]]
    settings = Settings(database_url="postgresql://x@y/z", drain_seconds=float(sys.argv[2]))
    run_to_the_end("test", settings, lambda: run_until_stopped(parts, drain_seconds=settings.drain_seconds))
""")


LEAVES_RUBBISH = textwrap.dedent("""
    import asyncio, weakref
    from chassis import running
    from chassis.settings import Settings

    class Self:
        def __init__(self):
            self.self = self

    class Part:
        name = "leaves rubbish"
        async def run(self, stopping):
            left = weakref.ref(Self())
            async with asyncio.timeout(20):
                while left() is not None:
                    await asyncio.sleep(0.02)
            print("taken away", flush=True)

    running.COLLECTED_EVERY_SECONDS = 0.1
    settings = Settings(database_url="postgresql://x@y/z", drain_seconds=5)
    running.run_to_the_end("test", settings, lambda: running.run_until_stopped([[Part()]], drain_seconds=5))
""")


def _program(fails: str = "", drain: str = "5") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, fails, drain], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_stage_by_stage_and_exits_0(number: signal.Signals) -> None:
    program = _program()
    assert program.stdout is not None
    assert {program.stdout.readline().split()[1] for _ in range(2)} == {"consumer", "relay"}

    program.send_signal(number)
    said, _ = program.communicate(timeout=20)

    finished = [line for line in said.splitlines() if line.startswith("finished")]
    assert finished == ["finished consumer", "finished relay"]
    assert program.returncode == 0


def test_a_drain_that_takes_too_long_is_an_error() -> None:
    program = _program(drain="0.05")
    assert program.stdout is not None
    program.stdout.readline()
    program.stdout.readline()

    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=20)

    assert program.returncode == 1


@pytest.mark.parametrize(("fails", "code", "says"), [("never", 2, "the log was cut"), ("bug", 1, "ValueError: oh")])
def test_a_failing_part_stops_the_process_with_its_reason(fails: str, code: int, says: str) -> None:
    program = _program(fails)

    said, _ = program.communicate(timeout=20)

    assert program.returncode == code
    assert says in said


def test_what_only_the_collector_can_take_away_is_taken_away_now_and_then() -> None:
    program = subprocess.run([sys.executable, "-c", LEAVES_RUBBISH], capture_output=True, text=True, check=False)

    assert (program.stdout.split("\n")[0], program.returncode) == ("taken away", 0), program.stderr


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while not ports.is_open(port):
            await asyncio.sleep(0.02)


async def test_live_is_false_while_a_loop_is_stuck_and_ready_while_a_part_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress = Progress()
    progress.beat("consumer")
    progress.ready["consumer"] = False
    port = ports.claimed(0, setting="none")
    stopping = asyncio.Event()
    serving = asyncio.create_task(HealthServer(progress, "127.0.0.1", port).run(stopping))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        await _listening(port)

        answers = {page: (await client.get(page)).status_code for page in ("/live", "/ready", "/metrics", "/else")}
        monkeypatch.setattr(health, "STUCK_AFTER_SECONDS", -1)
        progress.ready["consumer"] = True
        later = {page: await client.get(page) for page in ("/live", "/ready")}

    stopping.set()
    await serving
    assert answers == {"/live": 200, "/ready": 503, "/metrics": 200, "/else": 404}
    assert (later["/live"].status_code, later["/live"].text) == (503, "stuck: consumer\n")
    assert later["/ready"].status_code == 200


async def test_a_taken_port_is_said() -> None:
    stopping = asyncio.Event()
    blocker = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]

    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="the port is taken")):
        await health.serve(None, host="127.0.0.1", port=port, stopping=stopping)

    blocker.close()
