"""What is in the manifests: built by kustomize itself, read as a cluster or a compose engine would read them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from chassis.settings import Settings
from patchline.audit.standing import AuditSettings
from services.compliance.app import ComplianceSettings
from services.credentials.adapters.choice import DirectorySettings
from services.credentials.settings import CredentialsSettings
from services.gateway.polling.poll_app import PollSettings
from services.gateway.settings import AcceptSettings
from services.gateway.translation.translate_app import TranslateSettings
from services.inventory.app import InventorySettings
from services.ticketing.adapters.connectwise_settings import ConnectWiseSettings
from services.ticketing.adapters.request_tracker_settings import RequestTrackerSettings
from services.ticketing.settings import TicketingSettings

ROOT = Path(__file__).resolve().parents[2]
BASE = "deploy/k8s/base"
PRODUCTION = "deploy/k8s/overlays/production"
SETTINGS: Mapping[str, type[Settings]] = {
    "gateway-accept": AcceptSettings,
    "gateway-translate": TranslateSettings,
    "gateway-poll": PollSettings,
    "inventory": InventorySettings,
    "compliance": ComplianceSettings,
    "ticketing": TicketingSettings,
    "credentials": CredentialsSettings,
    "auditor": AuditSettings,
}
OF_DIRECTORIES: Mapping[str, type[BaseSettings]] = {"credentials": DirectorySettings}
"""What a process reads besides, at its edge."""
OF_TRACKER: Mapping[str, type[BaseSettings]] = {"rt": RequestTrackerSettings, "connectwise": ConnectWiseSettings}
_USED = re.compile(r"\$\(([A-Z_]+)\)")
_COMPOSE_VARIABLE = re.compile(r"\$\{([A-Z_]+):(-|\?)([^}]*)\}")

Document = dict[str, Any]


def tool(name: str) -> str:
    """Return the path of a command that the locked dependencies brought."""
    return str(Path(sys.executable).with_name(name))


@cache
def built(folder: str) -> tuple[Document, ...]:
    """Return what kustomize makes of a folder."""
    done = subprocess.run(
        [tool("kubectl"), "kustomize", str(ROOT / folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


@cache
def compose() -> Document:
    """Return the compose file, its anchors merged, each variable with the default that stands there."""
    text = (ROOT / "docker-compose.yml").read_text()
    document: Document = yaml.safe_load(_COMPOSE_VARIABLE.sub(_default, text))
    return document


def _default(variable: re.Match[str]) -> str:
    return variable[3] if variable[2] == "-" else f"https://{variable[1].lower().replace('_', '-')}.example.com/"


@dataclass(frozen=True)
class Pod:
    """One workload's pod template and the documents that it was built with."""

    document: Document
    among: Sequence[Document]

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.document["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def process(self) -> str:
        return self.labels["app.kubernetes.io/name"]

    @property
    def spec(self) -> Document:
        spec: Document = self.document["spec"]["template"]["spec"]
        return spec

    @property
    def containers(self) -> list[Document]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def environment(self, container: Document) -> dict[str, str]:
        """Return what a container's process finds in its environment.

        As Kubernetes does it: `envFrom` first, `$(NAME)` by what stands above.
        """
        found: dict[str, str] = {}
        for each in container.get("envFrom", []):
            found |= self._settings(each["configMapRef"]["name"])
        for each in container.get("env", []):
            if reference := each.get("valueFrom"):
                place = reference["configMapKeyRef"]
                found[each["name"]] = self._settings(place["name"])[place["key"]]
            else:
                found[each["name"]] = _USED.sub(lambda used: found[used[1]], each["value"])
        return found

    def files(self, container: Document) -> dict[str, str]:
        """Return each file of a Secret that a container sees, and the Secret's key that it comes from."""
        volumes = {each["name"]: each for each in self.spec["volumes"]}
        found: dict[str, str] = {}
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            sources = [each["secret"] for each in volume.get("projected", {}).get("sources", [])]
            found |= {
                f"{mount['mountPath']}/{item['path']}": f"{source['name']}/{item['key']}"
                for source in sources
                for item in source["items"]
            }
        return found

    def _settings(self, name: str) -> dict[str, str]:
        [held] = [each for each in self.among if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name]
        values: dict[str, str] = held["data"]
        return values


def of_kind(documents: Sequence[Document], kind: str) -> list[Document]:
    """Return the documents of one kind."""
    return [each for each in documents if each["kind"] == kind]


def pods(folder: str, *kinds: str) -> list[Pod]:
    """Return the pods of the workloads of these kinds."""
    documents = built(folder)
    return [Pod(each, documents) for kind in kinds for each in of_kind(documents, kind)]


def used_inside(container: Document) -> set[str]:
    """Return the variables that are there only to be put into the values of others."""
    return {name for each in container.get("env", []) for name in _USED.findall(each.get("value", ""))}


def known(kind: type[BaseSettings]) -> set[str]:
    """Return the variables that these settings read."""
    return {f"{kind.model_config.get('env_prefix')}{name.upper()}" for name in kind.model_fields}


def read_by(process: str) -> set[str]:
    """Return the variables that a process reads."""
    besides = OF_DIRECTORIES.get(process)
    return known(SETTINGS[process]) | (known(besides) if besides else set())


def needed(kind: type[BaseSettings]) -> set[str]:
    """Return the variables without which these settings cannot be read."""
    prefix = kind.model_config.get("env_prefix")
    return {f"{prefix}{name.upper()}" for name, field in kind.model_fields.items() if field.is_required()}


def component(folder: Path, name: str) -> str:
    """Return a folder, inside `folder`, whose kustomization is the base with one component."""
    base, added = (os.path.relpath(ROOT / each, folder) for each in (BASE, f"deploy/k8s/components/{name}"))
    (folder / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{added}]\n")
    return str(folder)
