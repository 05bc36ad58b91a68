"""What the ``run.py`` of each example does: install, prepare and serve it with nothing but Python 3.10 or later.

It makes a virtual environment next to ``run.py``, installs the checkout into it, brings the database up to date and
serves http://127.0.0.1:8000/. Later runs skip what is already done. Only the standard library is used here.
"""

import argparse
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 10)
STAMP = "installed.json"
NEEDED_BY_EXTRA = {"typed": ("pydantic",)}
"""What an extra of the distribution brings, as it is imported."""


def say(text: str) -> None:
    """Print one line of progress at once."""
    print(text, flush=True)


def read_arguments(example: Path) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=f"Install, prepare and serve the example {example.name}.")
    parser.add_argument("--port", type=int, default=8000, help="port to serve on (default: 8000)")
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1)")
    parser.add_argument("--venv", type=Path, default=example / ".venv", help="where to install (default: %(default)s)")
    parser.add_argument("--no-venv", action="store_true", help="install nothing, use the Python that runs this")
    return parser.parse_args()


def fingerprint(root: Path = ROOT) -> dict[str, object]:
    """Return what an installation depends on: this Python, and the version and newest file of the checkout."""
    version = re.search(r'__version__ = "([^"]+)"', (root / "channels/_version.py").read_text())
    files = [root / "setup.py", root / "pyproject.toml"]
    files += [path for path in (root / "channels").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {
        "python": sys.version.split()[0],
        "version": version[1] if version else "unknown",
        "files": len(files),
        "newest": max(path.stat().st_mtime_ns for path in files),
    }


def read_stamp(venv: Path) -> dict[str, object]:
    """Return the fingerprint of what is installed in a virtual environment; empty if nothing is."""
    try:
        return dict(json.loads((venv / STAMP).read_text()))
    except (OSError, ValueError):
        return {}


def python_of(venv: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(command: list[object], failure: str, **options: object) -> None:
    """Run a command to its end.

    Raises:
        SystemExit: It failed; the text is ``failure``.
    """
    try:
        subprocess.run([str(part) for part in command], check=True, **options)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{failure}\n({error})") from None


def install(venv: Path, wanted: dict[str, object], extra: str = "") -> None:
    """Make the virtual environment and install the checkout, perhaps with an extra, into it."""
    started = time.monotonic()
    python = python_of(venv)
    if not python.exists() or read_stamp(venv).get("python") not in (None, wanted["python"]):
        say(f"Creating a virtual environment in {venv} ...")
        run(
            [sys.executable, "-m", "venv", "--clear", venv],
            "Could not create a virtual environment. On Debian and Ubuntu: apt install python3-venv",
        )
    (venv / STAMP).unlink(missing_ok=True)
    say(f"Installing channels-classic {wanted['version']} and what it needs (a minute or so, once) ...")
    requirement = f"{ROOT}[{extra}]" if extra else ROOT
    with tempfile.TemporaryDirectory() as scratch:
        # Keeps the build out of the checkout, where files of an earlier build would get into this one.
        config = Path(scratch, "build.cfg")
        config.write_text(f"[build]\nbuild_base = {scratch}/build\n")
        run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", requirement],
            "pip could not install the checkout; its messages are above.",
            env={**os.environ, "DIST_EXTRA_CONFIG": str(config)},
        )
    (venv / STAMP).write_text(json.dumps(wanted))
    say(f"Installed in {time.monotonic() - started:.0f} s.")


def choose_python(options: argparse.Namespace, extra: str = "") -> Path:
    """Return the interpreter that serves the example, with everything installed.

    Args:
        options: Of the command line.
        extra: Of the distribution, if the example needs one.

    Raises:
        SystemExit: It lacks something.
    """
    if options.no_venv:
        needed = ("django", "channels", *NEEDED_BY_EXTRA.get(extra, ()))
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            command = f'pip install ".[{extra}]"' if extra else "pip install ."
            raise SystemExit(f"This Python has no {' and no '.join(missing)}: run without --no-venv, or {command}")
        return Path(sys.executable)
    venv = options.venv.absolute()
    wanted = fingerprint()
    if read_stamp(venv) != wanted or not python_of(venv).exists():
        install(venv, wanted, extra)
    return python_of(venv)


def require_free(host: str, port: int) -> None:
    """Refuse an address that another program listens on.

    Raises:
        SystemExit: It is taken, or is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise SystemExit(f"Cannot serve on {host}:{port} ({error}). Try --port {port % 60000 + 1}.") from None


def serve(example: Path, hint: str, extra: str = "") -> None:
    """Do what the command line asks for; the server takes the place of this process.

    Args:
        example: Directory of the example, with ``manage.py`` and the settings ``project.settings``.
        hint: What to do in the browser.
        extra: Of the distribution, if the example needs one.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit(f"Python {'.'.join(map(str, OLDEST_PYTHON))} or later is needed, this is {sys.version}.")
    options = read_arguments(example)
    require_free(options.host, options.port)
    python = str(choose_python(options, extra))
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"  # Whatever project this shell was used for before.
    manage = str(example / "manage.py")
    say("Preparing the database ...")
    run([python, manage, "migrate", "--verbosity", "0"], "The database could not be prepared.")
    host = f"[{options.host}]" if ":" in options.host else options.host
    say(f"Serving the {example.name} at http://{host}:{options.port}/ ({hint}).")
    # Replaced, not kept as a parent: Ctrl-C and signals from a supervisor reach the server itself.
    os.execv(python, [python, manage, "runserver", f"{host}:{options.port}"])


def main(run_script: str, hint: str, extra: str = "") -> None:
    """Serve the example that ``run_script`` belongs to; an interrupt ends it without a traceback."""
    try:
        serve(Path(run_script).resolve().parent, hint, extra)
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
