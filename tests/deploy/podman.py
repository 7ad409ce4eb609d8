"""Real containers without a Docker engine: podman with runc, and a base image of Debian's packages.

`python -m tests.deploy.podman` makes that base once (debootstrap, about a minute, 300 MB below the cache); as root.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from patchline.local import place

BASE = "localhost/patchline-base:bookworm"
NEEDED = ("podman", "runc", "conmon")
PACKAGES = "python3,python3-venv,ca-certificates"
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    """One podman with images and containers of its own, in the cache, so that layers are kept from run to run."""

    def __init__(self) -> None:
        self._place = place.cache(os.environ) / "podman"
        self._configuration = self._place / "containers.conf"

    def call(self, *words: str, seconds: float = 120, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run one podman command to its end."""
        self._configure()
        done = subprocess.run(
            [
                "podman", f"--root={self._place / 'images'}", f"--runroot={self._place / 'run'}",
                "--storage-driver=overlay", *words,
            ],
            env={**os.environ, "CONTAINERS_CONF": str(self._configuration)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"podman {' '.join(words)}: {done.stderr}"
        return done

    def _configure(self) -> None:
        """Write what podman reads; never again while it is the same, since other calls read it meanwhile."""
        self._place.mkdir(parents=True, exist_ok=True)
        if not self._configuration.exists() or self._configuration.read_text() != _CONFIGURATION:
            self._configuration.write_text(_CONFIGURATION)

    def has(self, image: str) -> bool:
        return self.call("image", "exists", image, check=False).returncode == 0

    def inspected(self, image: str) -> Any:
        return json.loads(self.call("image", "inspect", image).stdout)[0]

    def build(self, folder: Path, *, base: str, name: str) -> None:
        """Build an image; what this machine needs to reach its package index goes in, and stays in the first stage."""
        words = [
            "build",
            "--quiet",
            "--format=docker",
            "--network=host",
            f"--tag={name}",
            f"--build-arg=BASE_IMAGE={base}",
        ]
        for setting in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
            words += [f"--build-arg={setting}={os.environ[setting]}"] if setting in os.environ else []
        if authority := os.environ.get("SSL_CERT_FILE"):
            words += [f"--volume={authority}:{authority}:ro", f"--build-arg=SSL_CERT_FILE={authority}"]
            words += [f"--build-arg=PIP_CERT={authority}"]
        words += ["--volume=/etc/pip.conf:/etc/pip.conf:ro"] if Path("/etc/pip.conf").exists() else []
        self.call(*words, str(folder), seconds=300)
        self.call("image", "prune", "--force", "--filter=until=168h")  # what a week of changes left behind

    def make_base(self) -> None:
        """Make the base image of Debian's packages, from wherever this machine's own come."""
        with tempfile.TemporaryDirectory(dir=self._place.parent) as folder:
            root, packed = Path(folder) / "root", Path(folder) / "root.tar"
            found = _said(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).split()
            _said(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root), *found[:1]])
            _said(["tar", "--directory", str(root), "--create", "--file", str(packed), "."])
            self.call("import", str(packed), BASE, seconds=300)


def missing() -> str:
    """Return why no container can run here; empty if one can."""
    absent = [name for name in NEEDED if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed: apt-get install podman runc conmon netavark debootstrap"
    if os.geteuid() != 0:
        return "podman with the host's network is used as root here"
    if not os.environ.get("PATCHLINE_TEST_IMAGE"):
        return "takes minutes: `make image` runs it (PATCHLINE_TEST_IMAGE=1)"
    if not os.environ.get("PATCHLINE_BASE_IMAGE") and not Podman().has(BASE):
        return "no base image: python -m tests.deploy.podman makes one, or PATCHLINE_BASE_IMAGE names one"
    return ""


def _said(words: Sequence[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


if __name__ == "__main__":
    if Podman().has(BASE):
        sys.stdout.write(f"{BASE} is there\n")
    else:
        Podman().make_base()
        sys.stdout.write(f"{BASE} made\n")
