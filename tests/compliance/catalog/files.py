"""Small files in the feeds' own formats: true names of fields, invented values."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from services.compliance.catalog.feeds.found import File

SHARED: Final = os.environ.get("PATCHLINE_PUBLIC_DATA")
"""A folder with the public data as its publishers give it, in folders kev, epss, wesng, csaf, endoflife and ssvc."""

needs_public_data = pytest.mark.skipif(not SHARED, reason="PATCHLINE_PUBLIC_DATA names a folder with the public data")


def public(name: str) -> File:
    path = Path(SHARED or "") / name
    return File(path.name, path.read_text(encoding="utf-8-sig"))


KBS: Final = """kb,product,date_posted,max_severity,supersedes,cve_count,cves
5900001,Windows Server 2022,2024-01-09,Critical,,2,ADV240001;CVE-2024-90001
5900002,Windows Server 2022,2024-02-13,Important,5900001,1,CVE-2024-90002
5900003,Windows Server 2022,2023-01-27,Important,5900002,1,CVE-2024-90003
5900004,Windows Server 2022,2024-04-09,Critical,5900003,2,CVE-2024-90004;CVE-2024-90005
5900009,Windows Server 2022,2024-04-20,Important,,1,CVE-2024-90009
5900002,Windows 11 version 23H2 for x64-based Systems,2024-02-13,Important,5900001,1,CVE-2024-90002
5900011,Windows 11 Version 23H2 for X64-based  systems,2024-04-09,Critical,5900010,1,CVE-2024-90004
5900012,Windows Whistler,2024-04-09,Moderate,,0,
"""
WORST: Final = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
EDGES: Final = "kb,supersedes_kb\n5900011,5900010\n5900010,5900002\n5900001,5800000\n"


def kev(*entries: dict[str, Any], version: str = "2026.02.03", count: int | None = None) -> File:
    listed = entries or (KEV_ENTRY,)
    content = {
        "title": "invented",
        "catalogVersion": version,
        "dateReleased": "2026-02-03T15:00:00.000Z",
        "count": len(listed) if count is None else count,
        "vulnerabilities": listed,
    }
    return File("kev.json", json.dumps(content))


KEV_ENTRY: Final = {
    "cveID": "CVE-2024-90002",
    "vendorProject": "Invented",
    "product": "Thing",
    "dateAdded": "2026-02-01",
    "dueDate": "2026-02-22",
    "knownRansomwareCampaignUse": "Known",
    "notes": "",
}


def epss(*rows: str, model: str = "v2026.01.01", day: str = "2026-02-02") -> File:
    lines = [f"#model_version:{model},score_date:{day}T12:00:22Z", "cve,epss,percentile", *rows]
    return File("epss.csv", "\n".join(lines) + "\n")


def advisory(
    name: str = "RHSA-2026:0001",
    *,
    package: str = "rsync",
    evr: str = "0:3.1.3-20.el8_10",
    severity: str = "Important",
    fixed: bool = True,
) -> File:
    """An advisory for one package of one system, with its source and one binary, as Red Hat writes them."""
    files = [f"{package}-{evr}.{arch}" for arch in ("src", "x86_64")]
    content = {
        "document": {
            "category": "csaf_security_advisory",
            "aggregate_severity": {"text": severity},
            "tracking": {"id": name, "initial_release_date": "2026-01-20T09:30:00Z", "status": "final"},
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Red Hat",
                    "branches": [
                        {"category": "product_name", "name": "BaseOS", "product": BASE_OS},
                        *(
                            {"category": "product_version", "name": each, "product": {"name": each, "product_id": each}}
                            for each in files
                        ),
                    ],
                }
            ],
            "relationships": [
                {
                    "category": "default_component_of",
                    "full_product_name": {"name": each, "product_id": f"BaseOS-8:{each}"},
                    "product_reference": each,
                    "relates_to_product_reference": "BaseOS-8",
                }
                for each in files
            ],
        },
        "vulnerabilities": [
            {
                "cve": "CVE-2026-90010",
                "product_status": {"fixed": [f"BaseOS-8:{each}" for each in files]} if fixed else {},
                "scores": [{"cvss_v3": {"vectorString": WORST}}],
            }
        ],
    }
    return File(f"{name}.json", json.dumps(content))


BASE_OS: Final = {
    "name": "Red Hat Enterprise Linux BaseOS (v. 8)",
    "product_id": "BaseOS-8",
    "product_identification_helper": {"cpe": "cpe:/o:redhat:enterprise_linux:8::baseos"},
}


def record(
    cve: str = "CVE-2024-90002",
    *,
    exploitation: str = "active",
    automatable: str = "yes",
    impact: str = "total",
    at: str = "2026-02-01T10:00:00+00:00",
) -> File:
    """A CVE record with SSVC's points, as CISA adds them."""
    points = [{"Exploitation": exploitation}, {"Automatable": automatable}, {"Technical Impact": impact}]
    metric = {"other": {"type": "ssvc", "content": {"timestamp": at, "id": cve, "options": points, "version": "2.0.3"}}}
    content = {"cveMetadata": {"cveId": cve}, "containers": {"adp": [{"metrics": [metric]}]}}
    return File(f"{cve}.json", json.dumps(content))


LIFECYCLE: Final[dict[str, Any]] = {
    "windows": {
        "releases": [
            {"releaseCycle": "11-24h2-w", "releaseDate": "2024-10-01", "eol": "2026-10-13", "latest": "10.0.26100"},
            {"releaseCycle": "11-24h2-e", "releaseDate": "2024-10-01", "eol": "2027-10-12", "latest": "10.0.26100"},
            {"releaseCycle": "11-23h2-w", "releaseDate": "2023-10-31", "eol": "2025-11-11", "latest": "10.0.22631"},
            {"releaseCycle": "11-23h2-e", "releaseDate": "2023-10-31", "eol": "2026-11-10", "latest": "10.0.22631"},
            {"releaseCycle": "11-23h2-lts", "releaseDate": "2023-10-31", "eol": "2020-01-01", "latest": "10.0.22631"},
        ]
    },
    "windows-server": {
        "releases": [
            {"releaseCycle": "2025", "releaseDate": "2024-11-01", "eol": "2034-11-14", "latest": "10.0.26100"},
            {"releaseCycle": "2022", "releaseDate": "2021-08-18", "eol": "2031-10-14", "latest": "10.0.20348"},
            {"releaseCycle": "20h2-sac", "releaseDate": "2020-10-20", "eol": "2022-08-09", "latest": "10.0.20348"},
        ]
    },
    "ubuntu": {
        "releases": [
            {"releaseCycle": "26.04", "releaseDate": "2026-04-23", "eol": "2031-04-30"},
            {
                "releaseCycle": "24.04",
                "releaseDate": "2024-04-25",
                "eol": "2029-05-31",
                "latest": "24.04.4",
                "latestReleaseDate": "2026-02-12",
            },
        ]
    },
    "macos": {
        "releases": [
            {"releaseCycle": "15", "releaseDate": "2024-09-16", "eol": False, "latest": "15.7.9"},
            {"releaseCycle": "14", "releaseDate": "2023-09-26", "eol": True, "latest": "14.8.9"},
        ]
    },
}


def lifecycle(content: dict[str, Any] | None = None) -> File:
    return File("lifecycle.json", json.dumps(LIFECYCLE if content is None else content))
