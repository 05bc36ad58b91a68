"""Makes the environments of the peers, once, in a cache directory of the user."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import which

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "channels-classic" / "benchmarks"


@dataclass(frozen=True)
class Peer:
    """A stack that is measured beside ours.

    Args:
        name: Of its environment.
        python: Commands that may be its Python; the first that there is serves.
        requirements: What is installed.
    """

    name: str
    python: tuple[str, ...]
    requirements: tuple[str, ...]

    def find_python(self) -> str:
        """Return the path of the Python that makes the environment.

        Raises:
            SystemExit: There is none.
        """
        for candidate in self.python:
            number = candidate.removeprefix("python")
            found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{number}.*/bin/python"))
            if path := found[-1].as_posix() if found else which(candidate):
                return path
        raise SystemExit(f"{self.name} needs one of {', '.join(self.python)} (pyenv install 3.6 makes the oldest).")

    def environment(self) -> Path:
        """Return the directory of its environment's commands, made at the first call.

        Raises:
            SystemExit: It could not be made.
        """
        directory = CACHE / self.name
        commands = directory / "bin"
        complete = directory / "complete"
        if not complete.exists():
            print(f"installing {', '.join(self.requirements)} ...", file=sys.stderr, flush=True)
            pip = [str(commands / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            python = self.find_python()
            steps = [[python, "-m", "venv", "--clear", str(directory)], [*pip, *self.requirements]]
            if "3.6" in python:
                steps.insert(1, [*pip, "pip==21.3.1"])
            for step in steps:
                if subprocess.run(step, check=False).returncode:
                    raise SystemExit(f"{' '.join(step)} failed.")
            complete.touch()
        return commands


SERVER = tuple(f"{name}=={version(name)}" for name in ("uvicorn", "uvloop", "httptools", "websockets"))
"""The server and what it runs on: the same as in the environment of ours."""

CLASSIC = Peer("classic", ("python3.6",), ("channels==1.1.8", "asgi_redis==1.4.3", "Django==1.11.29"))
MODERN = Peer(
    "modern",
    (f"python{sys.version_info[0]}.{sys.version_info[1]}",),
    ("channels==4.3.2", "channels_redis==4.3.0", "redis==5.3.1", f"Django=={version('django')}", *SERVER),
)
