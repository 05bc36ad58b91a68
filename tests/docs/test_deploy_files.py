"""The files that the deploying page shows: each is of its kind, and its commands have only options that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import load_command_class

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


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".service"], ids=lambda path: str(path.name))
def test_units_are_what_systemd_reads(path: Path) -> None:
    """``systemd-analyze`` finds nothing, where there is one."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    checked = subprocess.run([analyze, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert not [line for line in checked.stderr.splitlines() if path.name in line], checked.stderr


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
