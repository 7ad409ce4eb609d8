"""Reads a policy file: a small, strict part of YAML, and errors that name the field and what to do."""

import difflib
import json
import re
from collections.abc import Hashable
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from chassis.errors import NeverWorks
from services.credentials.guard.policy import GlobalPolicy, GuardPolicy, Owner
from services.credentials.people.rules_notice import WORDS_BY_LANGUAGE, template_faults

MAX_BYTES: Final = 65_536
P = TypeVar("P", GuardPolicy, GlobalPolicy)


class PolicyRefused(NeverWorks):
    """A policy file cannot be used; the text names each wrong field."""


class _Strict(yaml.SafeLoader):
    """YAML as most people believe it to be: `no` and `on` are words, dates are text, nothing is said twice."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the library's own attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, unless it is an alias or is given a type of its own."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(event.start_mark, "anchors and aliases are not read; write it out")
        if getattr(event, "tag", None):
            raise _refused(event.start_mark, "tags are not read; leave out what begins with !")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the library's signature
        """Return a mapping, unless it says one key twice or has one that is no word."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise _refused(key.start_mark, "the name of a field is a word")
            if key.value in seen:
                raise _refused(key.start_mark, f"{key.value} is said twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:0|-?[1-9][0-9]*)$"), list("-0123456789"))
_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-0123456789")
)
_Strict.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])


def guard_policy_of(content: bytes) -> GuardPolicy:
    """Return the policy of one client that a file describes; what it leaves out has its default.

    Raises:
        PolicyRefused: it is too large, no YAML, or has a field that is unknown or wrong.
    """
    policy = _validated(content, GuardPolicy)
    if faults := _faults(policy.owner):
        raise PolicyRefused("; ".join(faults))
    return policy


def global_policy_of(content: bytes) -> GlobalPolicy:
    """Return the policy for all clients together that a file describes; what it leaves out has its default.

    Raises:
        PolicyRefused: as above.
    """
    return _validated(content, GlobalPolicy)


def _validated(content: bytes, kind: type[P]) -> P:
    if len(content) > MAX_BYTES:
        raise PolicyRefused(f"the file has {len(content)} bytes; at most {MAX_BYTES} are read")
    said = _read(content)
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise PolicyRefused("the file is a mapping of fields, such as `mode: dry_run`")
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


def _read(content: bytes) -> Any:
    try:
        return yaml.load(content.decode(), Loader=_Strict)  # noqa: S506 - a loader stricter than the safe one
    except UnicodeDecodeError as error:
        raise PolicyRefused("the file is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise PolicyRefused(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyRefused(f"the file is no YAML that is read here: {type(error).__name__}") from error


def _refused(mark: yaml.Mark, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


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
