"""`patchline contract page|serve`."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from chassis import commands
from patchline.contract import page
from patchline.contract.serving import PORT, served
from patchline.local import PartUnavailable

app = typer.Typer(no_args_is_help=True, help="The published contract: topics, events, doors; as a page and as files.")

Out = Annotated[Path, typer.Option("--out", help="The folder to write to; made if it is not there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")]


@app.command("page")
def page_command(*, out: Out, as_json: Json = False) -> None:
    """Write the contract as one HTML page, with asyncapi.json, openapi.json and the schemas beside it.

    It needs nothing from outside: open index.html, or put the folder on any web server.

    Example: patchline contract page --out build/contract
    """
    try:
        written = page.write(out)
    except OSError as error:
        commands.stop(f"--out {out}: {error.strerror}", commands.WRONG_USE)
    commands.show([{"page": str(written), "bytes": written.stat().st_size}], title="Contract", as_json=as_json)


@app.command("serve")
def serve_command(*, port: Port = PORT) -> None:
    """Show the page on this machine until Ctrl-C. `patchline up` and the demo do so by themselves.

    Example: patchline contract serve --port 18097
    """
    try:
        with served(port) as url:
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            while True:
                time.sleep(1)
    except PartUnavailable as error:
        commands.stop(str(error), commands.WRONG_USE)
    except KeyboardInterrupt:
        return
