"""Compares contracts/openapi.json with what the doors declare, and validates it: `python -m checks.openapi [write]`."""

import json
import sys
from typing import Final

from openapi_spec_validator import OpenAPIV31SpecValidator

from services.gateway.door import openapi

WRONG: Final = 1


def problems() -> list[str]:
    """Return what is wrong with the committed document: stale, or against the specification."""
    if not openapi.FILE.exists() or openapi.FILE.read_text() != openapi.written():
        return [f"{openapi.FILE.name}: differs from the doors; run: python -m checks.openapi write"]
    document = json.loads(openapi.FILE.read_text())
    errors = OpenAPIV31SpecValidator(document, base_uri=openapi.FILE.as_uri()).iter_errors()
    return [f"{openapi.FILE.name}: {'/'.join(map(str, each.path))}: {each.message[:200]}" for each in errors]


def main(arguments: list[str]) -> int:
    """Write the document or check it; return the exit code."""
    if arguments == ["write"]:
        openapi.FILE.write_text(openapi.written())
        return 0
    found = problems()
    sys.stdout.write("".join(f"{each}\n" for each in found) or "openapi: as the doors say, and valid\n")
    return WRONG if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
