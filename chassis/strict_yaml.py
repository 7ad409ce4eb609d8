"""A small, strict part of YAML for files that people write: nothing is guessed, nothing is said twice."""

import re
from collections.abc import Hashable
from typing import Any, Final

import yaml

from chassis.errors import NeverWorks

MAX_BYTES: Final = 65_536


class DocumentRefused(NeverWorks):
    """A file cannot be used; the text says where and why."""


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

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Return a text, unless it has a character that is none: it could not be stored."""
        if isinstance(node.value, str) and _NO_TEXT.search(node.value):
            raise _refused(node.start_mark, "NUL and halves of characters are not read")
        return super().construct_scalar(node)


_NO_TEXT: Final = re.compile("[\\x00\\ud800-\\udfff]")
_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:0|-?[1-9][0-9]*)$"), list("-0123456789"))
_Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$"), list("-0123456789")
)
_Strict.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])


def mapping_of(content: bytes, *, example: str) -> dict[str, Any]:
    """Return the fields of a file; an empty one has none. `example` is shown to whoever wrote something else.

    Raises:
        DocumentRefused: it is too large, no YAML, or no mapping.
    """
    if len(content) > MAX_BYTES:
        raise DocumentRefused(f"the file has {len(content)} bytes; at most {MAX_BYTES} are read")
    said = _read(content)
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise DocumentRefused(f"the file is a mapping of fields, such as `{example}`")
    return said


def _read(content: bytes) -> Any:
    try:
        return yaml.load(content.decode(), Loader=_Strict)  # noqa: S506 - a loader stricter than the safe one
    except UnicodeDecodeError as error:
        raise DocumentRefused("the file is not UTF-8 text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentRefused(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # a number of thousands of digits is a ValueError
        raise DocumentRefused(f"the file is no YAML that is read here: {type(error).__name__}") from error


def _refused(mark: yaml.Mark, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
