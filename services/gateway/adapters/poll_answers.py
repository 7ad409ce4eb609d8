"""What the vendors' APIs have in common: an answer is JSON, and rows are a list of objects, or it is not understood."""

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic_core import from_json

from chassis.errors import MayWorkLater


class AnswerNotUnderstood(MayWorkLater):
    """The vendor answered 200 with something that is not what it documents."""


def decoded(path: str, response: httpx.Response) -> Any:
    """Return the JSON in an answer.

    Raises:
        AnswerNotUnderstood: it is none.
    """
    try:
        return from_json(response.content)
    except ValueError as error:
        raise AnswerNotUnderstood(f"{path}: not JSON") from error


def rows_in(value: object) -> list[Mapping[str, Any]]:
    """Return the rows of a page.

    Raises:
        AnswerNotUnderstood: it is no list of objects.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise AnswerNotUnderstood("the rows are not a list of objects")
    return value
