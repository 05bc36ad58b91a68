"""Ask the advisory service of the package index about everything that users of the package install with it.

Run by a Python in whose environment the package, its extras and pip-audit are; arguments are passed to pip-audit. Exits
non-zero with one line for each known vulnerability, and where pip-audit itself fails. Where the service does not
answer, or knows nothing of a version that everybody knows to be vulnerable, it says so and exits with zero: nothing was
audited then, and a build must not fail because a network is not there.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "channels-classic"

NOT_FOR_USERS = {"tests", "docs"}
"""Extras of those who work on the package."""

CANARY = ("jinja2", "2.4.1")
"""Not installed, and vulnerable for ever: a service that does not say so says nothing of the others either."""

UNREACHABLE = ("requests.exceptions.", "ServiceError", "vulnerability feed", "not redirecting")
"""What pip-audit says, on the way out, where the service did not answer."""

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


def audit(pins: dict[str, str], options: Sequence[str]) -> list[dict[str, Any]]:
    """Return what pip-audit says of each of ``pins``; nothing if it could not ask anybody.

    Raises:
        RuntimeError: It failed for another reason.
    """
    with tempfile.TemporaryDirectory() as directory:
        listed = Path(directory) / "requirements.txt"
        listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answers: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = done.stderr.strip()
        if any(text in said for text in UNREACHABLE):
            print(said.splitlines()[-1])
            return []
        raise RuntimeError(f"pip-audit failed: {said or 'it said nothing'}") from None
    return answers


def main() -> int:
    """Print what is known, and return the exit status."""
    pins = installed_closure(DISTRIBUTION, extras_of(DISTRIBUTION) - NOT_FOR_USERS)
    answers = audit({**pins, CANARY[0]: CANARY[1]}, sys.argv[1:])
    found = {answer["name"]: answer for answer in answers if "skip_reason" not in answer}
    if not found.pop(CANARY[0], {}).get("vulns"):
        print(f"The advisory service does not answer: nothing was audited of {len(pins)} packages.")
        return 0
    status = 0
    for answer in found.values():
        for advisory in answer["vulns"]:
            reason = ACCEPTED.get(advisory["id"])
            status = status if reason else 1
            print(f"{answer['name']} {answer['version']}: {advisory['id']} ({reason or 'known vulnerability'})")
    unknown = sorted(set(pins) - set(found))
    print(f"{len(found)} of {len(pins)} packages were audited{f'; unknown: {unknown}' if unknown else ''}.")
    return status


if __name__ == "__main__":
    sys.exit(main())
