"""A policy file is read strictly, and an error names the field."""

import json

import pytest

from chassis.strict_yaml import MAX_BYTES, DocumentRefused
from services.credentials.guard.commands import changed, written
from services.credentials.guard.document import global_policy_of, guard_policy_of
from services.credentials.guard.policy import STRICT, GlobalPolicy

LIVE = b"""
# Agreed with the owner.
mode: live
reset_persons: true
live_feeds: [exposure/spycloud/main]
break_glass: [bg-1@acme.example]
owner:
  name: Dr. Ada
  mail: ada@acme.example
  language: de
caps:
  per_hour: 5
  share: 0.1
  batches: [1, 5]
levels: {ticket: 10, reset: 30}
"""


def test_a_file_says_what_differs_and_the_rest_has_its_default() -> None:
    policy = guard_policy_of(LIVE)

    assert (policy.mode, policy.caps.per_hour, policy.caps.share) == ("live", 5, 0.1)
    assert policy.live_feeds == {"exposure/spycloud/main"}
    assert (policy.levels.ticket, policy.levels.verified) == (10, STRICT.levels.verified)
    assert policy.approvals_needed == STRICT.approvals_needed


def test_an_empty_file_allows_nothing() -> None:
    assert guard_policy_of(b"") == STRICT
    assert global_policy_of(b"# nothing yet\n") == GlobalPolicy()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("caps:\n  per_our: 3", "caps.per_our: there is no such field; did you mean per_hour?", id="typo"),
        pytest.param("kaps: {}", "kaps: there is no such field; did you mean caps?", id="typo at the top"),
        pytest.param(
            "caps: {per_hour: '20'}", "caps.per_hour: input should be a valid integer", id="text for a number"
        ),
        pytest.param(
            "caps: {per_hour: 0}", "caps.per_hour: input should be greater than or equal to 1", id="too small"
        ),
        pytest.param("caps: {share: 2}", "caps.share: input should be less than or equal to 1", id="too large"),
        pytest.param("mode: yes", "mode: input should be 'dry_run' or 'live'", id="yes is a word"),
        pytest.param("reset_persons: on", "reset_persons: input should be a valid boolean", id="on is a word"),
        pytest.param("cooling_hours: 012", "cooling_hours: input should be a valid integer", id="no octal numbers"),
        pytest.param("approvals_needed: 1", "approvals_needed: input should be greater than or equal to 2", id="alone"),
        pytest.param("owner: {mail: 'a, b@c'}", "owner.mail: string should match pattern", id="two addresses"),
        pytest.param("vip: [a]\nvip: [b]", "line 2, column 1: vip is said twice", id="said twice"),
        pytest.param("vip: &x [a]\nshared: *x", "anchors and aliases are not read", id="an alias"),
        pytest.param("mode: !!python/name:os.system x", "tags are not read", id="a tag"),
        pytest.param("mode: live\n---\nmode: dry_run", "found another document", id="two documents"),
        pytest.param("- mode", "the file is a mapping of fields", id="a list"),
        pytest.param("vip: [a", "line 1", id="no YAML"),
    ],
)
def test_a_file_with_an_error_is_refused_and_the_field_named(text: str, told: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        guard_policy_of(text.encode())

    assert told in str(refused.value)


def test_bytes_that_are_no_text_or_too_many_are_refused() -> None:
    with pytest.raises(DocumentRefused, match="not UTF-8"):
        guard_policy_of(b"\xff\xfe")
    with pytest.raises(DocumentRefused, match="at most"):
        guard_policy_of(b" " * (MAX_BYTES + 1))


def test_deeply_nested_text_is_refused_rather_than_followed() -> None:
    with pytest.raises(DocumentRefused):
        guard_policy_of(b"[" * 20_000)


NORWEGIAN = b"""
owner:
  language: no
  templates:
    no: |
      {happened}
      {done}
      {next}
"""


def test_norwegian_is_a_language() -> None:
    assert guard_policy_of(NORWEGIAN).owner.language == "no"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(b"{done}", b"{password}", "owner.templates.no: {password} is no placeholder", id="no such place"),
        pytest.param(b"{next}", b"", "owner.templates.no: {next} is missing", id="something is not told"),
        pytest.param(b"language: no", b"language: fr", "owner.language: no template", id="a language without words"),
    ],
)
def test_a_clients_template_is_checked_before_it_holds(before: bytes, after: bytes, told: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        guard_policy_of(NORWEGIAN.replace(before, after))

    assert told in str(refused.value)


def test_what_is_shown_can_be_set_again() -> None:
    policy = guard_policy_of(LIVE)

    again = guard_policy_of(written(json.loads(policy.model_dump_json())).encode())

    assert again == policy


def test_a_history_names_the_fields_that_changed() -> None:
    before = {"mode": "dry_run", "caps": {"per_hour": 20, "share": 0.05}}
    after = {"mode": "live", "caps": {"per_hour": 5, "share": 0.05}, "vip": ["a"]}

    assert changed(before, after) == ["caps.per_hour", "mode", "vip"]
    assert changed(after, after) == []
