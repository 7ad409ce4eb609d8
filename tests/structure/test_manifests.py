"""The manifests are what Kubernetes takes, run every process of the product, and give each no more than it needs."""

import copy
import os
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
from typer.testing import CliRunner

from chassis.settings import read
from patchline.main import app
from patchline.schemas import LOGIN_ROLES
from patchline.stack.programs import PROGRAMS, SECRET_FILES, Program
from tests.structure.manifests import (
    BASE,
    OF_TRACKER,
    PRODUCTION,
    ROOT,
    SETTINGS,
    Document,
    Pod,
    built,
    component,
    known,
    needed,
    of_kind,
    pods,
    read_by,
    used_inside,
)

VERSIONS = ("1.31", "1.37")
"""The oldest and the newest release of Kubernetes that the manifests are checked for; docs/deploy.md names them."""

FOLDERS = (BASE, PRODUCTION)
PROGRAM_BY_NAME = {program.name: program for program in PROGRAMS}
WORKLOADS = ("Deployment", "StatefulSet", "Job")
ALL_PODS = [
    pytest.param(pod, id=f"{Path(folder).name}-{pod.name}") for folder in FOLDERS for pod in pods(folder, *WORKLOADS)
]
PROCESSES = [
    pytest.param(pod, id=f"{Path(folder).name}-{pod.name}") for folder in FOLDERS for pod in pods(folder, "Deployment")
]
DOCUMENTS = [
    pytest.param(document, id=f"{Path(folder).name}-{document['kind']}-{document['metadata']['name']}")
    for folder in FOLDERS
    for document in built(folder)
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_kubernetes_takes_it(document: Document) -> None:
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    ("place", "value"),
    [("replicas", "two"), ("replica", 2), ("selector", ["inventory"])],
    ids=["wrong type", "unknown field", "wrong shape"],
)
def test_what_kubernetes_would_not_take_is_found(place: str, value: object) -> None:
    broken = copy.deepcopy(pods(BASE, "Deployment")[0].document)
    broken["spec"][place] = value

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_every_process_has_a_deployment_and_every_deployment_is_a_process() -> None:
    assert {pod.name: pod.containers[0]["args"] for pod in pods(BASE, "Deployment")} == {
        program.name: list(program.module) for program in PROGRAMS
    }
    assert set(SETTINGS) == set(PROGRAM_BY_NAME)


@pytest.mark.parametrize("pod", ALL_PODS)
def test_a_pod_may_do_nothing_that_it_does_not_need(pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
    security = pod.spec["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 10001, 10001)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(
        next(iter(each.keys() - {"name"})) in {"projected", "secret", "configMap", "emptyDir"}
        for each in pod.spec["volumes"]
    )
    for container in pod.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("pod", PROCESSES)
def test_a_process_is_asked_at_its_real_health_pages(pod: Pod) -> None:
    [container] = pod.containers
    ports = {each["name"]: str(each["containerPort"]) for each in container["ports"]}
    environment = pod.environment(container)

    assert ports["health"] == environment["PATCHLINE_HEALTH_PORT"]
    assert environment["PATCHLINE_HEALTH_HOST"] == "0.0.0.0"  # noqa: S104 - a pod's own network
    assert container["startupProbe"]["httpGet"] == {"path": "/live", "port": "health"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "health"}
    assert ports.get("http") == environment.get("PATCHLINE_ACCEPT_PORT")


@pytest.mark.parametrize("pod", PROCESSES)
def test_a_process_starts_with_the_settings_that_it_is_given(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    [container] = pod.containers
    kind = SETTINGS[pod.process]
    given = pod.environment(container)
    names = [each["name"] for each in container["env"]]

    assert len(names) == len(set(names))
    assert given.keys() - used_inside(container) - _of_the_database(container) <= read_by(pod.process)
    assert needed(kind) <= given.keys()
    for name in [name for name in os.environ if name.startswith("PATCHLINE_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read(kind, env_files=())
    assert settings.environment == "production"
    assert settings.group_instance == "", "a Deployment's pods never come back under their names"
    assert pod.spec["terminationGracePeriodSeconds"] > 4 * settings.drain_seconds


@pytest.mark.parametrize("pod", PROCESSES)
def test_a_process_has_its_own_role_and_no_secret_but_its_own(pod: Pod) -> None:
    [container] = pod.containers
    program = PROGRAM_BY_NAME[pod.process]
    given = pod.environment(container)
    files = pod.files(container)

    assert urlsplit(given["PATCHLINE_DATABASE_URL"]).username == program.role
    assert urlsplit(given["PATCHLINE_DATABASE_URL"]).password is None
    assert set(files) == {value for name, value in given.items() if name.endswith("_FILE") and "SNAPSHOT" not in name}
    assert set(files.values()) == _secrets_of(program)
    folders = {each["secret"]["secretName"] for each in pod.spec["volumes"] if "secret" in each}
    assert folders == ({"patchline-directories"} if "directories" in program.secrets else set())
    assert "secretRef" not in str(container.get("envFrom"))
    assert "secretKeyRef" not in str(container["env"])


def test_who_must_be_there_for_a_release_has_the_password_of_every_role() -> None:
    [job] = pods(BASE, "Job")
    roles = [volume for volume in job.spec["volumes"] if volume["name"] == "roles"]

    assert [volume["secret"]["secretName"] for volume in roles] == ["patchline-database"]
    assert {program.role for program in PROGRAMS} <= set(LOGIN_ROLES)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_job_declares_the_topics_with_the_copies_that_production_demands(folder: str) -> None:
    [job] = pods(folder, "Job")

    steps = {each["name"]: each["args"] for each in job.containers}

    assert list(steps) == ["topics", "schema", "verify"]
    assert steps["topics"] == ["patchline", "topics", "apply"]
    assert steps["verify"] == ["patchline", "topics", "diff"]
    for container in job.containers:
        given = job.environment(container)
        answer = CliRunner(env=given).invoke(app, [*container["args"][1:], "--help"])
        assert answer.exit_code == 0, answer.output
        if container["name"] != "schema":
            assert given["PATCHLINE_ENVIRONMENT"] == "production"
            assert int(given["PATCHLINE_TOPIC_REPLICATION"]) >= 3
            assert int(given["PATCHLINE_TOPIC_IN_SYNC"]) >= 2


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_applied_before_a_release_is_all_that_the_job_needs_and_all_settings(folder: str) -> None:
    [job] = pods(folder, "Job")
    first = [
        each for each in built(folder) if each["metadata"]["labels"].get("app.kubernetes.io/component") == "prepare"
    ]
    names = {(each["kind"], each["metadata"]["name"]) for each in first}

    assert {("Namespace", "patchline"), ("Job", "prepare"), ("ServiceAccount", job.spec["serviceAccountName"])} <= names
    assert {("NetworkPolicy", name) for name in ("default-deny", "names", "kafka-and-postgres")} <= names
    for pod in pods(folder, *WORKLOADS):
        used = [each["configMapRef"]["name"] for container in pod.containers for each in container.get("envFrom", [])]
        assert {("ConfigMap", name) for name in used} <= names, "a new pod would wait for settings that come later"


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_selected_that_is_not_there(folder: str) -> None:
    documents = built(folder)
    found = pods(folder, "Deployment")
    selectors = [each["spec"]["selector"] for each in of_kind(documents, "Service")]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind(documents, "PodDisruptionBudget")]

    for selector in selectors:
        assert [pod.name for pod in found if selector.items() <= pod.labels.items()] == ["gateway-accept"]
    for pod in found:
        chosen = pod.document["spec"]["selector"]["matchLabels"]
        assert [each.name for each in found if chosen.items() <= each.labels.items()] == [pod.name]
    for each in of_kind(documents, "HorizontalPodAutoscaler"):
        [scaled] = [pod for pod in found if pod.name == each["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in scaled.document["spec"], "it and the autoscaler would undo one another"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_network_is_closed_but_for_what_is_named(folder: str) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(built(folder), "NetworkPolicy")}
    outside = policies["vendors-and-tracker"]["podSelector"]["matchExpressions"][0]["values"]

    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert sorted(outside) == ["gateway-poll", "ticketing"]
    beyond = policies["directories-and-mail"]
    assert beyond["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "credentials"}}
    assert sorted(port["port"] for rule in beyond["egress"] for port in rule["ports"]) == [443, 465, 587, 636]
    assert policies["door"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "gateway-accept"}}
    kafka = [port for rule in policies["kafka-and-postgres"]["egress"] for port in rule["ports"]]
    assert [each["port"] for each in kafka] == [9092, 5432]


def test_links_by_mail_lead_through_an_ingress_that_keeps_no_log_of_them() -> None:
    ways = of_kind(built(PRODUCTION), "Ingress")
    [pod] = [each for each in pods(PRODUCTION, "Deployment") if each.name == "credentials"]
    mailed = urlsplit(pod.environment(pod.containers[0])["PATCHLINE_APPROVAL_URL"])

    quiet = [
        (rule["host"], path["path"])
        for each in ways
        if each["metadata"]["annotations"].get("nginx.ingress.kubernetes.io/enable-access-log") == "false"
        for rule in each["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]

    assert (mailed.scheme, quiet) == ("https", [(mailed.hostname, mailed.path)])


def test_each_lane_has_processes_of_its_own_in_production() -> None:
    lanes = {
        pod.name: pod.environment(pod.containers[0]).get("PATCHLINE_LANES", "both")
        for pod in pods(PRODUCTION, "Deployment")
    }

    readers = ("gateway-translate", "inventory", "compliance")
    assert {name: lane for name, lane in lanes.items() if lane != "both"} == {
        **dict.fromkeys(readers, "live"),
        **{f"{name}-bulk": "bulk" for name in readers},
    }


@pytest.mark.parametrize(("name", "kind"), [("request-tracker", "rt"), ("connectwise", "connectwise")])
def test_another_ticket_system_has_all_that_it_needs(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [pod] = [each for each in pods(component(tmp_path, name), "Deployment") if each.name == "ticketing"]
    [container] = pod.containers
    given = pod.environment(container)
    own = OF_TRACKER[kind]

    assert given["PATCHLINE_TRACKER_KIND"] == kind
    assert given.keys() - used_inside(container) - _of_the_database(container) <= known(SETTINGS["ticketing"]) | known(
        own
    )
    assert needed(own) <= given.keys()
    assert {value for variable, value in given.items() if variable.endswith("_FILE")} == set(pod.files(container))
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    read(SETTINGS["ticketing"], env_files=())
    read(own, env_files=())


def test_no_secret_and_no_floating_image_is_written_down() -> None:
    for folder in FOLDERS:
        assert of_kind(built(folder), "Secret") == []
    images = {each["image"] for pod in pods(PRODUCTION, *WORKLOADS) for each in pod.containers}
    assert len(images) == 1
    assert not images & {"patchline", "registry.example.com/patchline:latest"}


def test_the_alerts_are_those_that_are_tested() -> None:
    [rules] = [each for each in of_kind(built(BASE), "ConfigMap") if each["metadata"]["name"] == "patchline-alerts"]

    assert rules["data"]["patchline.yml"] == (ROOT / "deploy/alerts/patchline.yml").read_text()


def _of_the_database(container: Document) -> set[str]:
    """Return the keys of the shared settings that only the administrator's step uses."""
    return {"DATABASE_ADMIN", "DATABASE_AT"} if "envFrom" in container else set()


def _secrets_of(program: Program) -> set[str]:
    places = {"sealing": "patchline-sealing/sealing.key"}
    places |= {each: f"patchline-{each}/password" for each in ("tracker", "mail")}
    places |= {name: f"patchline-exposure/{file}" for name, (_, file) in SECRET_FILES.items() if name != "sealing"}
    return {f"patchline-database/{program.role}", *(places[each] for each in program.secrets if each != "directories")}
