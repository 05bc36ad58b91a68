"""Build the wheel and the sdist, check what is in them, and use each with the source out of reach.

They are installed into fresh virtual environments with their plain dependencies only, so a dependency that is used
but not declared shows here, and one that the documentation does not explain. Exits non-zero with one line on what is
wrong.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).resolve().parent
INSTALLATION = ROOT / "docs" / "installation.rst"


def run(*command: object, cwd: Path | None = None) -> None:
    """Run ``command`` and stop the whole check if it fails."""
    print("+", *command, flush=True)
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env=env)


def tracked_files(directory: str = ".") -> set[str]:
    """Return the files of the checkout in ``directory``, as paths below the root."""
    tracked = subprocess.run(
        ["git", "ls-files", directory], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return {name for name in tracked if (ROOT / name).exists()}


def require(names: set[str], wanted: set[str], archive: Path) -> None:
    """Stop with a message if ``archive``, which holds ``names``, lacks one of ``wanted``."""
    missing = sorted(wanted - names)
    if missing:
        sys.exit(f"{archive.name} lacks {', '.join(missing)}: see package_data in setup.py and MANIFEST.in.")


def check_contents(dist: Path) -> tuple[Path, Path]:
    """Return wheel and sdist in ``dist`` after checking that they are complete."""
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    require(inside, tracked_files("channels"), wheel)
    strangers = {name.split("/")[0] for name in inside} - {"channels"}
    if any(not name.endswith(".dist-info") for name in strangers):
        sys.exit(f"{wheel.name} installs {sorted(strangers)} at top level; only channels belongs there.")
    with tarfile.open(sdist) as tar:
        inside = {name.partition("/")[2] for name in tar.getnames()}
    require(inside, tracked_files(), sdist)
    return wheel, sdist


def explained_requirements() -> set[str]:
    """Return what the documentation says is installed."""
    text = INSTALLATION.read_text(encoding="utf-8")
    table = text.partition("What is installed\n---")[2].partition("Extras\n---")[0]
    return {name.lower() for name in re.findall(r"``([A-Za-z0-9-]+)``", table)}


def check_requirements(python: Path) -> None:
    """Stop with a message if something is installed that the documentation does not explain."""
    command = [str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    names = {re.sub(r"[-_.]+", "-", each["name"]).lower() for each in found}
    strangers = names - explained_requirements() - {"pip", "setuptools", "channels-classic"}
    if strangers:
        sys.exit(f"{INSTALLATION.name} does not say why {', '.join(sorted(strangers))} is installed.")


def use(archive: Path, work: Path, examples: Path) -> None:
    """Install ``archive`` into a fresh environment below ``work`` and use it there.

    Args:
        archive: Wheel or sdist.
        work: An empty directory.
        examples: The examples of the sdist, beside which there is no package.
    """
    venv.create(work / "venv", with_pip=True)
    python = work / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", archive)
    for name in ("smoke.py", "example.py"):
        (work / name).write_bytes((HERE / name).read_bytes())
    run(python, "-P" if sys.version_info >= (3, 11) else "-s", "-m", "pip", "check")
    check_requirements(python)
    run(python, work / "smoke.py", cwd=work)
    run(python, work / "example.py", examples, cwd=work)


def hear_interrupts() -> None:
    """Let what is started here end by SIGINT, also where this runs as a shell's background job, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Do all of it in a temporary directory."""
    hear_interrupts()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(sys.executable, "-m", "build", "--outdir", work / "dist", ROOT)
        run(sys.executable, "-m", "twine", "check", "--strict", *(work / "dist").iterdir())
        archives = check_contents(work / "dist")
        with tarfile.open(archives[1]) as tar:
            prefix = archives[1].name.removesuffix(".tar.gz")
            members = [member for member in tar.getmembers() if member.name.startswith(f"{prefix}/examples/")]
            tar.extractall(work / "source", members, filter="data")
        for archive in archives:
            home = work / archive.suffix.strip(".")
            home.mkdir()
            use(archive, home, work / "source" / prefix / "examples")
    print("package: wheel and sdist are complete, and each works on its own")


if __name__ == "__main__":
    main()
