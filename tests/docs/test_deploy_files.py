"""The files that the deploying page shows: each is of its kind, and its commands have only options that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.core.management import load_command_class

from tests.support.missing import skip_or_fail

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
FILES = sorted(DEPLOY.iterdir())


def worker_commands() -> list[tuple[str, list[str]]]:
    """Return each command that runs workers, as the words after it."""
    lines = [(path.name, line) for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        (name, re.sub(r'[",\]]', "", line.partition("runworker")[2]).split())
        for name, line in lines
        if "runworker" in line
    ]


def test_every_file_is_shown_on_the_page() -> None:
    """None is forgotten, and none is missing."""
    page = (DEPLOY.parent / "deploying.rst").read_text(encoding="utf-8")
    assert re.findall(r"literalinclude:: deploy/(\S+)", page)
    assert sorted(re.findall(r"literalinclude:: deploy/(\S+)", page)) == [path.name for path in FILES]


def test_workers_are_started_with_options_that_exist() -> None:
    """Each command is one that ``runworker`` understands."""
    commands = worker_commands()
    assert {name for name, _ in commands} == {"Procfile", "compose.yaml", "kubernetes.yaml", "mysite-workers.service"}
    parser: Any = load_command_class("channels", "runworker").create_parser("manage.py", "runworker")
    for _, words in commands:
        assert parser.parse_args(words).grace


def systemd_complaints(path: Path) -> list[str]:
    """Return what systemd finds wrong with a unit."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        skip_or_fail("Install systemd-analyze (Debian: apt install systemd).")
    checked = subprocess.run([analyze, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    return [line for line in checked.stderr.splitlines() if path.name in line]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".service"], ids=lambda path: str(path.name))
def test_units_are_what_systemd_reads(path: Path, tmp_path: Path) -> None:
    """It finds nothing, and it would find a mistake."""
    assert systemd_complaints(path) == []
    broken = tmp_path / path.name
    broken.write_text(path.read_text(encoding="utf-8").replace("TimeoutStopSec=", "TimeoutEndSec="))
    assert "TimeoutEndSec" in systemd_complaints(broken)[0]


def compose_check(path: Path) -> "subprocess.CompletedProcess[str]":
    """Compare a file with the schema of the Compose specification."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_file_fits_the_compose_specification(tmp_path: Path) -> None:
    """The schema takes it, and would not take a mistake."""
    path = DEPLOY / "compose.yaml"
    checked = compose_check(path)
    assert checked.returncode == 0, checked.stdout
    broken = tmp_path / "compose.yaml"
    broken.write_text(path.read_text(encoding="utf-8").replace("stop_grace_period", "stop_period"))
    checked = compose_check(broken)
    assert checked.returncode == 1
    assert "'stop_period' was unexpected" in checked.stdout


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_manifests_fit_the_schemas_of_kubernetes(version: str) -> None:
    """Every document is one that this version takes, with no key that it does not know."""
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)
        broken = {**document, "spec": {**document["spec"], "replica": 2}}
        with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
            kubernetes_validate.validate(broken, version, strict=True)


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_stops_are_given_more_time_than_the_grace(name: str) -> None:
    """A container that is killed within its grace would lose messages."""
    documents = list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))
    if name == "compose.yaml":
        given = int(documents[0]["services"]["workers"]["stop_grace_period"].removesuffix("s"))
    else:
        (spec,) = [document["spec"]["template"]["spec"] for document in documents if "workers" in str(document)]
        given = spec["terminationGracePeriodSeconds"]
    grace = next(int(words[words.index("--grace") + 1]) for file, words in worker_commands() if file == name)
    assert given > grace


def test_kubernetes_selectors_find_their_pods() -> None:
    """Labels, selectors and ports belong together."""
    deployments, services = [], []
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")):
        (deployments if document["kind"] == "Deployment" else services).append(document["spec"])
    labels = [spec["template"]["metadata"]["labels"] for spec in deployments]
    assert [spec["selector"]["matchLabels"] for spec in deployments] == labels
    assert all(spec["selector"] in labels for spec in services)
    for spec in deployments:
        (container,) = spec["template"]["spec"]["containers"]
        ports = {port["containerPort"] for port in container["ports"]}
        probes = [container[key] for key in container if key.endswith("Probe")]
        assert {
            port
            for probe in probes
            for how in ("tcpSocket", "httpGet")
            for port in [probe.get(how, {}).get("port")]
            if port
        } == ports
