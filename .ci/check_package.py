"""Build the wheel and the sdist, check what is in them, and use the wheel with the source out of reach.

The wheel is installed into a fresh virtual environment with its plain dependencies only, so a
dependency that is used but not declared shows here. Exits non-zero with one line on what is wrong.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMOKE = Path(__file__).with_name("smoke.py")

SOURCE_ONLY = ("LICENSE", "README.rst", "CONTRIBUTING.rst", "tox.ini", ".importlinter", "tests/settings.py")
"""Files that the sdist must hold besides the package."""


def run(*command: object, cwd: Path | None = None) -> None:
    """Run ``command`` and stop the whole check if it fails."""
    print("+", *command, flush=True)
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env=env)


def package_files() -> set[str]:
    """Return the files of the package in the checkout, as paths below the root."""
    tracked = subprocess.run(
        ["git", "ls-files", "channels"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return {name for name in tracked if (ROOT / name).exists()}


def require(names: set[str], wanted: set[str], archive: Path) -> None:
    """Stop with a message if ``archive``, which holds ``names``, lacks one of ``wanted``."""
    missing = sorted(wanted - names)
    if missing:
        sys.exit(f"{archive.name} lacks {', '.join(missing)}: see package_data in setup.py and MANIFEST.in.")


def check_contents(dist: Path) -> Path:
    """Return the wheel in ``dist`` after checking that wheel and sdist are complete."""
    (wheel,) = dist.glob("*.whl")
    (sdist,) = dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    require(inside, package_files(), wheel)
    strangers = {name.split("/")[0] for name in inside} - {"channels"}
    if any(not name.endswith(".dist-info") for name in strangers):
        sys.exit(f"{wheel.name} installs {sorted(strangers)} at top level; only channels belongs there.")
    with tarfile.open(sdist) as tar:
        inside = {name.partition("/")[2] for name in tar.getnames()}
    require(inside, package_files() | set(SOURCE_ONLY), sdist)
    return wheel


def main() -> None:
    """Do all of it in a temporary directory."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(sys.executable, "-m", "build", "--outdir", work / "dist", ROOT)
        run(sys.executable, "-m", "twine", "check", "--strict", *(work / "dist").iterdir())
        wheel = check_contents(work / "dist")
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", wheel)
        (work / "smoke.py").write_bytes(SMOKE.read_bytes())
        run(python, "-P" if sys.version_info >= (3, 11) else "-s", "-m", "pip", "check")
        run(python, work / "smoke.py", cwd=work)
    print("package: wheel and sdist are complete and the wheel works on its own")


if __name__ == "__main__":
    main()
