"""The formats that `patchline catalog load` reads, by name."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from services.compliance.catalog.feeds import applications, csaf, epss, kev, lifecycle, scores, ssvc, windows
from services.compliance.catalog.feeds.found import File, Found, Options


class Format(StrEnum):
    """What a file is. `patchline` is our own and replaces the catalog; every other adds to what is known."""

    PATCHLINE = "patchline"
    WINDOWS_KB = "windows-kb"
    CSAF = "csaf"
    APPLICATIONS = "applications"
    LIFECYCLE = "lifecycle"
    KEV = "kev"
    EPSS = "epss"
    EPSS_KEV_NVD = "epss-kev-nvd"
    CVSS = "cvss"
    SSVC = "ssvc"


READERS: Final[Mapping[Format, Callable[[Sequence[File], Options], Found]]] = {
    Format.WINDOWS_KB: windows.read,
    Format.CSAF: csaf.read,
    Format.APPLICATIONS: applications.read,
    Format.LIFECYCLE: lifecycle.read,
    Format.KEV: kev.read,
    Format.EPSS: epss.read,
    Format.EPSS_KEV_NVD: scores.read_kev_list,
    Format.CVSS: scores.read_vectors,
    Format.SSVC: ssvc.read,
}
