"""Rows of the cloud directories: what is null, what is missing, what is of another shape."""

import pytest

from services.credentials.adapters.cloud import AnswerNotUnderstood, Row, row_of, rows_of
from services.credentials.adapters.entra_rows import User
from services.credentials.adapters.google_rows import GoogleUser
from services.credentials.adapters.okta_rows import OktaUser

REQUIRED: list[tuple[type[Row], dict[str, object]]] = [
    (User, {"id": "1"}),
    (OktaUser, {"id": "1"}),
    (GoogleUser, {"id": "1", "primaryEmail": "jane@acme.example"}),
]


@pytest.mark.parametrize(("form", "least"), REQUIRED)
def test_whatever_else_is_null_or_missing_a_user_is_read(form: type[Row], least: dict[str, object]) -> None:
    names = [field.alias or name for name, field in form.model_fields.items()]

    bare = row_of(form, least)
    nulls = row_of(form, dict.fromkeys(names) | least | {"somethingNew": {"of": "the vendor's"}})

    assert bare == nulls


@pytest.mark.parametrize(("form", "least"), REQUIRED)
def test_a_user_without_an_id_is_not_guessed_at(form: type[Row], least: dict[str, object]) -> None:
    with pytest.raises(AnswerNotUnderstood, match="id"):
        row_of(form, least | {"id": None})


def test_what_is_wrong_is_named_without_what_is_in_it() -> None:
    with pytest.raises(AnswerNotUnderstood) as told:
        row_of(User, {"id": "1", "lastPasswordChangeDateTime": "planted-secret"})

    assert "lastPasswordChangeDateTime" in str(told.value)
    assert "planted-secret" not in str(told.value)


@pytest.mark.parametrize(("value", "count"), [(None, 0), ([], 0), ([{"id": "1"}], 1)])
def test_a_list_that_is_left_out_is_empty(value: object, count: int) -> None:
    assert len(rows_of(OktaUser, value)) == count


@pytest.mark.parametrize("value", [{}, "text", ["text"], [None]])
def test_a_list_of_another_shape_is_not_guessed_at(value: object) -> None:
    with pytest.raises(AnswerNotUnderstood):
        rows_of(OktaUser, value)
