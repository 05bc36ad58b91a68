"""Ask the advisory service of the package index about everything that users of the package install with it.

Run by a Python in whose environment the package and its extras are. Exits non-zero with one line for each known
vulnerability. Where the service does not answer, it says so and exits with zero: nothing was audited then, and a
build must not fail because a network is not there.
"""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "channels-classic"

NOT_FOR_USERS = {"tests", "docs"}
"""Extras of those who work on the package."""

ACCEPTED: dict[str, str] = {}
"""Identifiers of advisories that do not concern us, each with the reason."""


def extras_of(name: str) -> set[str]:
    """Return the extras that the distribution ``name`` declares."""
    return set(distribution(name).metadata.get_all("Provides-Extra") or ())


def installed_closure(name: str, extras: set[str]) -> dict[str, str]:
    """Return the name and version of all that ``name`` with ``extras`` needs and that is installed."""
    found: dict[str, str] = {}
    todo = [(name, frozenset(extras))]
    while todo:
        parent, wanted = todo.pop()
        for text in requires(parent) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in {"", *wanted}):
                continue
            child = canonicalize_name(requirement.name)
            try:
                version = distribution(child).version
            except PackageNotFoundError:
                continue
            if child not in found:
                found[child] = version
                todo.append((child, frozenset(requirement.extras)))
    return found


def audit(pins: dict[str, str]) -> list[dict[str, object]]:
    """Return what pip-audit says of each of ``pins``; nothing if it could not ask anybody."""
    with tempfile.TemporaryDirectory() as directory:
        listed = Path(directory) / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip"]
        options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        answers: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip-audit said nothing")
        return []
    return answers


def main() -> int:
    """Print what is known, and return the exit status."""
    pins = installed_closure(DISTRIBUTION, extras_of(DISTRIBUTION) - NOT_FOR_USERS)
    answers = [answer for answer in audit(pins) if "skip_reason" not in answer]
    if not answers:
        print(f"The advisory service does not answer: nothing was audited of {len(pins)} packages.")
        return 0
    status = 0
    for answer in answers:
        for advisory in answer["vulns"]:  # type: ignore[attr-defined]
            reason = ACCEPTED.get(advisory["id"])
            status = status if reason else 1
            print(f"{answer['name']} {answer['version']}: {advisory['id']} ({reason or 'known vulnerability'})")
    print(f"{len(answers)} of {len(pins)} packages were audited.")
    return status


if __name__ == "__main__":
    sys.exit(main())
