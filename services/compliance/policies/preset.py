"""Presets: what regulators, standards and the service's own documents ask for, as data with authority and status.

Each is a file in `presets/`, in our own words. What was not re-read at its source is listed in `unconfirmed`.
"""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from pydantic import ValidationError

from chassis.strict_yaml import DocumentRefused, mapping_of
from services.compliance.policies.preset_rows import Preset

__all__ = ["NAMES", "Preset", "preset_of", "shipped"]

NAMES: Final = (
    "msp-playbook",
    "msp-service-levels",
    "cisa-bod-26-04",
    "cisa-bod-22-01",
    "cisa-bod-19-02",
    "pci-4.0.1-6.3.3",
    "ce-3.3-danzell",
    "e8-ml1",
    "e8-ml2",
    "e8-ml3",
    "cis-8.1-c7",
    "nist-800-40r4",
    "hipaa-2013",
    "hipaa-nprm-2025",
)


def preset_of(said: dict[str, Any]) -> Preset:
    """Return a preset from its fields.

    Raises:
        DocumentRefused: a field is unknown or wrong.
    """
    try:
        return Preset.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        raise DocumentRefused(str(error)) from error


@cache
def shipped(name: str) -> Preset | None:
    """Return the preset of that name that this release brings; `None`: it brings none."""
    if name not in NAMES:
        return None
    file = resources.files("services.compliance.policies") / "presets" / f"{name}.yaml"
    return preset_of(mapping_of(file.read_bytes(), example="id: ce-3.3-danzell"))
