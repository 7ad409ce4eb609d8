"""Reads a client's policy file, and refuses one that could not be followed as it is written."""

import difflib
import json
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from chassis.strict_yaml import DocumentRefused, mapping_of
from services.compliance.clocks.malformed import MalformedWindow
from services.compliance.clocks.names import UnknownZone, iana
from services.compliance.policies import preset
from services.compliance.policies.compile import ends_before, window_of
from services.compliance.policies.document import PolicyDocument, RegimeEntry
from services.compliance.policies.preset import Preset

EXAMPLE = "client: Acme Dental"
MOST_PROBLEMS = 10


def policy_of(content: bytes) -> tuple[PolicyDocument, tuple[Preset, ...]]:
    """Return the policy that a file describes, and the presets that it names, in its order.

    Raises:
        DocumentRefused: it is no strict YAML, has a field that is unknown or wrong, names a zone, window or preset
            that cannot be used, or would never start a clock; names each.
    """
    said = mapping_of(content, example=EXAMPLE)
    try:
        document = PolicyDocument.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        raise DocumentRefused(_described(error)) from error
    presets = [preset.shipped(entry.preset) for entry in document.regimes]
    if faults := [*_faults(document), *_regime_faults(document, presets)]:
        raise DocumentRefused("; ".join(faults))
    return document, tuple(each for each in presets if each is not None)


def _faults(document: PolicyDocument) -> list[str]:
    """Return what is wrong with the zone and the windows."""
    try:
        iana(document.zone)
    except UnknownZone as error:
        return [f"zone: {error}"]
    faults = []
    for name, entry in document.windows.items():
        try:
            window_of(name, entry, document.zone)
        except MalformedWindow as error:
            faults.append(f"windows.{name}.{error.field}: {error.reason}")
    return faults


def _regime_faults(document: PolicyDocument, presets: Sequence[Preset | None]) -> list[str]:
    faults = [
        fault
        for entry, found in zip(document.regimes, presets, strict=True)
        if (fault := _unusable(document, entry, found)) is not None
    ]
    if not faults and not document.sla and not any(each is not None and each.rules for each in presets):
        faults.append("regimes: these name no numbers; write your own in sla, or no clock would ever run")
    return faults


def _unusable(document: PolicyDocument, entry: RegimeEntry, found: Preset | None) -> str | None:
    """Return why this preset cannot be followed by this policy."""
    if found is None:
        near = difflib.get_close_matches(entry.preset, preset.NAMES, n=1)
        advice = f"; did you mean {near[0]}?" if near else "; see: patchline policy presets"
        return f"regimes: there is no preset called {entry.preset}{advice}"
    if found.status == "proposed" and not entry.accept_proposed:
        return f"regimes: {found.id} is a proposal, not in force; say accept_proposed: true to follow it all the same"
    if found.status == "revoked" and not ends_before(document, found):
        return (
            f"regimes: {found.id} was revoked and holds until {found.effective_until} only: history, no new policy; "
            "valid_until must not be later"
        )
    return None


def _described(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(_problem(each["loc"], each["type"], each["msg"]) for each in problems[:MOST_PROBLEMS])


def _problem(place: tuple[int | str, ...], type_: str, message: str) -> str:
    name = ".".join(str(part) for part in place)
    if type_ == "value_error":  # ours
        said = message.removeprefix("Value error, ")
        return f"{name}: {said}" if name else said
    if type_ != "extra_forbidden":
        return f"{name or 'the file'}: {message[0].lower()}{message[1:]}"
    near = difflib.get_close_matches(str(place[-1]), _fields(place[:-1]), n=1)
    return f"{name}: there is no such field" + (f"; did you mean {near[0]}?" if near else "")


def _fields(place: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the part of a policy at `place`; indexes, keys and kinds of a choice lead into a part."""
    kinds: list[type[BaseModel]] = [PolicyDocument]
    for part in place:
        inner = [each.model_fields[part].annotation for each in kinds if part in each.model_fields]
        if inner:
            kinds = [model for annotation in inner for model in _models(annotation)]
    return sorted({name for each in kinds for name in each.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models(each)]
