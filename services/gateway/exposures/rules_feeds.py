"""Which feeds there are and how each is read; what an installation declares of them besides. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from services.gateway.exposures import (
    rules_detections,
    rules_graph,
    rules_hibp,
    rules_patchline,
    rules_recorded_future,
    rules_spycloud,
)
from services.gateway.exposures.rules_reduce import RECORDS, SECRET, FeedRules, Place, is_secretive

RULES: Final[Mapping[str, FeedRules]] = MappingProxyType(
    {
        "patchline": rules_patchline.RULES,
        "spycloud": rules_spycloud.RULES,
        "recorded-future": rules_recorded_future.RULES,
        "graph": rules_graph.RULES,
        "graph-detections": rules_detections.RULES,
        "hibp": rules_hibp.RULES,
    }
)
"""By vendor, and by what a poller reads. One without a line here sends Patchline's own format."""

POLLED_AS: Final[Mapping[str, str]] = {"graph": "graph-detections"}
"""By vendor: what its poller's bodies are read as, where its webhooks have others."""

Declared = Mapping[str, Mapping[str, Sequence[str]]]
"""By feed and role: paths that an installation found out. They are tried before ours."""


def rules_of(feed: str, by_feed: Mapping[str, FeedRules] = RULES) -> FeedRules:
    """Return how a feed is read."""
    return by_feed.get(feed, by_feed["patchline"])


def with_declared(declared: Declared) -> dict[str, FeedRules]:
    """Return the rules of all feeds, those of an installation first.

    Raises:
        ValueError: a feed or a role that there is not, or a secret's name where a kept field's should be.
    """
    result = dict(RULES)
    for feed, paths_by_role in declared.items():
        if feed not in result:
            raise ValueError(f"{feed}: no such feed; there are {', '.join(sorted(result))}")
        result[feed] = _extended(feed, result[feed], paths_by_role)
    return result


def _extended(feed: str, rules: FeedRules, paths_by_role: Mapping[str, Sequence[str]]) -> FeedRules:
    kept = dict(rules.kept)
    for role, paths in paths_by_role.items():
        if role == SECRET:
            rules = replace(rules, secrets=(*paths, *rules.secrets))
        elif role == RECORDS:
            rules = replace(rules, records=(*paths, *rules.records))
        elif role not in kept:
            roles = sorted((*kept, SECRET, RECORDS))
            raise ValueError(f"{feed}.{role}: no such role; there are {', '.join(roles)}")
        elif wrong := [path for path in paths if is_secretive(path)]:
            raise ValueError(f"{feed}.{role}: {wrong[0]} is named like a secret: declare it as {SECRET}")
        else:
            kept[role] = Place((*paths, *kept[role].paths), kept[role].shape)
    return replace(rules, kept=kept)
