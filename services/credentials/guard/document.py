"""Reads a policy file: strict YAML, and errors that name the field and what to do."""

import difflib
import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from chassis import strict_yaml
from chassis.strict_yaml import DocumentRefused
from services.credentials.guard.policy import GlobalPolicy, GuardPolicy, Owner
from services.credentials.people.rules_notice import WORDS_BY_LANGUAGE, template_faults

P = TypeVar("P", GuardPolicy, GlobalPolicy)


class PolicyRefused(DocumentRefused):
    """A policy file cannot be used; the text names each wrong field."""


def guard_policy_of(content: bytes) -> GuardPolicy:
    """Return the policy of one client that a file describes; what it leaves out has its default.

    Raises:
        DocumentRefused: it is too large, no YAML, or (`PolicyRefused`) has a field that is unknown or wrong.
    """
    policy = _validated(content, GuardPolicy)
    if faults := _faults(policy.owner):
        raise PolicyRefused("; ".join(faults))
    return policy


def global_policy_of(content: bytes) -> GlobalPolicy:
    """Return the policy for all clients together that a file describes; what it leaves out has its default.

    Raises:
        DocumentRefused: as above.
    """
    return _validated(content, GlobalPolicy)


def _validated(content: bytes, kind: type[P]) -> P:
    said = strict_yaml.mapping_of(content, example="mode: dry_run")
    try:
        return kind.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        raise PolicyRefused(_described(error, kind)) from error


def _faults(owner: Owner) -> list[str]:
    """Return what is wrong with how a client's owner is told."""
    faults = [f"owner.{fault}" for fault in template_faults(owner.templates)]
    if owner.language not in {*owner.templates, *WORDS_BY_LANGUAGE}:
        known = ", ".join(sorted(WORDS_BY_LANGUAGE))
        faults.append(f"owner.language: no template of owner.templates is {owner.language}, and ours are {known}")
    return faults


def _described(error: ValidationError, kind: type[BaseModel]) -> str:
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(_problem(each["loc"], each["type"], each["msg"], kind) for each in problems[:10])


def _problem(place: tuple[int | str, ...], type_: str, message: str, kind: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in place)
    if type_ != "extra_forbidden":
        return f"{name}: {message[0].lower()}{message[1:]}"
    near = difflib.get_close_matches(str(place[-1]), _fields(place[:-1], kind), n=1)
    return f"{name}: there is no such field" + (f"; did you mean {near[0]}?" if near else "")


def _fields(place: tuple[int | str, ...], kind: type[BaseModel]) -> list[str]:
    """Return the fields of the part of `kind` at `place`."""
    for part in place:
        inner = kind.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        kind = inner
    return list(kind.model_fields)
