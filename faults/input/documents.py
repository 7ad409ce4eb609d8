"""Every decoder of files that people load: policies, the catalog, the feeds that inform it."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final

import yaml

from chassis.errors import NeverWorks
from chassis.strict_yaml import MAX_BYTES, DocumentRefused, mapping_of
from faults.input.decoders import MIB, ROOT, Decoder
from services.compliance.catalog import bundled, loading, merge
from services.compliance.catalog.document import document
from services.compliance.catalog.feeds.formats import READERS, Format
from services.compliance.catalog.feeds.found import Options
from services.compliance.catalog.files import Source
from services.compliance.policies import preset
from services.compliance.policies.lint import lint_of
from services.compliance.policies.reading import policy_of
from services.credentials.guard.document import global_policy_of, guard_policy_of

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
FEED_BYTES: Final = 4 * MIB
"""A feed may be larger, and then takes longer; what is wrong with it is the same."""

POLICIES: Final = ROOT / "docs" / "policies"
PRESETS: Final = ROOT / "services" / "compliance" / "policies" / "presets"

GUARD: Final = {"mode": "live", "owner": {"name": "Ada", "mail": "ada@acme.example", "language": "de"},
                "caps": {"per_hour": 5, "share": 0.1, "batches": [1, 5]}, "levels": {"ticket": 10}}  # fmt: skip
_CVE: Final = "CVE-2024-90002"
FEEDS: Final[Mapping[Format, str]] = {
    Format.WINDOWS_KB: "kb,product,date_posted,max_severity,supersedes,cve_count,cves\n"
    f"5900001,Windows Server 2022,2024-01-09,Critical,,2,{_CVE}\n5900002,Windows Server 2022,2024-02-13,,5900001,0,\n",
    Format.CSAF: json.dumps(
        {
            "document": {
                "category": "csaf_security_advisory",
                "aggregate_severity": {"text": "Important"},
                "tracking": {"id": "A:1", "initial_release_date": "2026-01-20T09:30:00Z", "status": "final"},
            },
            "product_tree": {"branches": [], "relationships": []},
            "vulnerabilities": [{"cve": _CVE, "product_status": {"fixed": ["BaseOS-8:a-0:1-1.el8.x86_64"]}}],
        }
    ),
    Format.APPLICATIONS: f"product,version,released_at,severity,cves\nThing,10.0,2026-02-02,Critical,{_CVE}\n",
    Format.LIFECYCLE: json.dumps(
        {"windows": {"releases": [{"releaseCycle": "11-24h2-w", "releaseDate": "2024-10-01", "eol": "2026-10-13",
                                   "latest": "10.0.26100"}]},
         "ubuntu": {"releases": [{"releaseCycle": "26.04", "releaseDate": "2026-04-23", "eol": "2031-04-30"}]},
         "macos": {"releases": [{"releaseCycle": "14", "releaseDate": "2023-09-26", "eol": True, "latest": "14.8"}]}}
    ),
    Format.KEV: json.dumps(
        {"catalogVersion": "2026.02.03", "dateReleased": "2026-02-03T15:00:00.000Z", "count": 1, "vulnerabilities": [
            {"cveID": _CVE, "dateAdded": "2026-02-01", "dueDate": "2026-02-22", "knownRansomwareCampaignUse": "Known"}]}
    ),
    Format.EPSS: f"#model_version:v1,score_date:2026-02-02T12:00:22Z\ncve,epss,percentile\n{_CVE},0.01,0.5\n",
    Format.EPSS_KEV_NVD: f"CVE,CVSS3,EPSS,EPSS Percentile\n{_CVE},9.8,0.5,0.9\n",
    Format.CVSS: f"cve,vector\n{_CVE},CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\n",
    Format.SSVC: json.dumps(
        {"cveMetadata": {"cveId": _CVE}, "containers": {"adp": [{"metrics": [{"other": {"type": "ssvc", "content": {
            "timestamp": "2026-02-01T10:00:00+00:00", "options": [
                {"Exploitation": "active"}, {"Automatable": "yes"}, {"Technical Impact": "total"}]}}}]}]}}
    ),
}  # fmt: skip
"""One small file of each format: true names of fields, invented values."""


def loaded_by_people() -> Iterator[Decoder]:
    """Yield what reads policies, then what reads the catalog and its feeds."""
    yield _document("policy and its lint", _linted, _twice((POLICIES / "whole.yaml").read_bytes()))
    presets = tuple(_as_json(file.read_bytes()) for file in sorted(PRESETS.glob("*.yaml")))
    yield _document("preset", _preset, presets)
    guard = (json.dumps(GUARD).encode(), yaml.safe_dump(GUARD).encode())
    yield _document("guard's policy", guard_policy_of, guard)
    yield _document("guard's policy of all", global_policy_of, guard)
    catalog = bundled.BUNDLED.read_bytes()
    yield Decoder(name="catalog", read=_catalog, seeds=(catalog,), refuses=(NeverWorks,), most_bytes=FEED_BYTES)
    for kind in READERS:
        seeds = (FEEDS[kind].encode(),)
        yield Decoder(
            name=f"catalog, {kind}",
            read=partial(_feed, kind),
            seeds=seeds,
            refuses=(NeverWorks,),
            most_bytes=FEED_BYTES,
        )


def _document(name: str, read: Callable[[bytes], object], seeds: tuple[bytes, ...]) -> Decoder:
    return Decoder(name=name, read=read, seeds=seeds, refuses=(DocumentRefused,), most_bytes=MAX_BYTES)


def _twice(policy: bytes) -> tuple[bytes, bytes]:
    """Return a file as a person wrote it, and the same as JSON, which is YAML too and can be changed by its fields."""
    return policy, _as_json(policy)


def _as_json(policy: bytes) -> bytes:
    return json.dumps(mapping_of(policy, example="")).encode()


def _linted(content: bytes) -> object:
    policy, presets = policy_of(content)
    return lint_of(policy, presets, now=NOW)


def _preset(content: bytes) -> object:
    return preset.preset_of(mapping_of(content, example="id: a"))


def _catalog(content: bytes) -> object:
    return document(Source("catalog.json", "file", content).file.text)


def _feed(kind: Format, content: bytes) -> object:
    """Read a feed and add what it says to an empty catalog, as loading does."""
    found = loading.read(kind, [Source("feed", "file", content)], Options())
    return merge.merged(None, found.products, name="n") if found.products else found
