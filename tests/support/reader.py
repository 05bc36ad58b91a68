"""Somebody who reads a page of the documentation: saves its files, types its commands, and stops where to look."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from tests.support.blocks import Block, blocks_of
from tests.support.processes import free_port, wait_for

ENDLESS = re.compile(r"runserver|runworker|rundelay|^uvicorn|^celery|^haproxy|^redis-server")
"""Commands that go on until they are stopped."""

ENDING = 20.0
"""Seconds that what ran in a terminal has after Ctrl-C."""


def press_ctrl_c(process: "subprocess.Popen[bytes]") -> None:
    """Interrupt a command and the processes it started, as a terminal does; what does not end is killed."""

    def is_over() -> bool:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    if is_over():
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        wait_for(is_over, "the end of a command", ENDING)
    except AssertionError:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_served_anew(blocks: Sequence[Block]) -> bool:
    """Return whether ``runserver`` is typed before the next checkpoint."""
    until_looked_at = takewhile(lambda block: block.language != "look", blocks)
    return any(block.is_command and not block.reason and "runserver" in block.text for block in until_looked_at)


class Reader:
    """Somebody who types what a page says.

    Attributes:
        port: Where servers of the page listen, in place of 8000.

    Args:
        directory: Where files are saved and commands run; a virtual environment in it is used once it is there.
        environment: Variables beside those of the tests.
        replaced: More addresses of the page, and what stands for them here, in files and commands.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], replaced: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.port = free_port()
        self.replaced = {"8000": str(self.port), **(replaced or {})}
        self.log_file = directory.parent / "log.txt"
        self.log_file.touch()
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
        self.environment = {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", **environment}
        self.running: list[subprocess.Popen[bytes]] = []
        self.last_saved = directory

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"http://127.0.0.1:{self.port}"

    def read(self, page: Path, look: Callable[[str], object]) -> list[str]:
        """Do what ``page`` says from top to bottom; return the checkpoints that ``look`` was called with.

        Args:
            page: The file.
            look: Looks whether all is as the page says.
        """
        seen = []
        blocks = list(blocks_of(page))
        for index, block in enumerate(blocks):
            if block.language == "look":
                look(block.caption)
                seen.append(block.caption)
            elif block.reason:
                continue
            elif block.is_command:
                self.type(block.text)
            else:
                if is_served_anew(blocks[index + 1 :]):
                    # Ctrl-C while a reload starts Python again would print a traceback of Python's own.
                    self.stop("manage.py")
                self.write(block.caption, block.text)
        return seen

    def write(self, caption: str, text: str) -> None:
        """Save a file, or add to the end of one."""
        assert caption, f"A block names no file:\n{text}"
        name, _, where = caption.partition(", ")
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() + "\n" if where == "at the end" else ""
        path.write_text(before + self._replace(text))
        self.last_saved = path

    def _replace(self, text: str) -> str:
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return text

    def save_again(self) -> None:
        """Save the last file once more.

        Django's reloader misses what is saved in the second after a start, in which no human saves anything.
        """
        self.last_saved.touch()

    def type(self, text: str) -> None:
        """Run the commands of a block; servers and workers go on running in terminals of their own."""
        for line in self._replace(text).replace("\\\n", "").splitlines():
            command = line.removeprefix("$ ")
            if command == "source venv/bin/activate":
                self.environment["PATH"] = f"{self.directory / 'venv/bin'}:{self.environment['PATH']}"
            elif command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                self.environment[name] = value
            elif ENDLESS.search(command):
                self.start(command)
            else:
                self.run(command)

    def run(self, command: str) -> None:
        """Run a command to its end, which must be a good one."""
        with self.log_file.open("ab") as log:
            done = subprocess.run(
                command, shell=True, cwd=self.directory, env=self.environment, stdout=log, stderr=log, check=False
            )
        assert done.returncode == 0, f"{command}\n{self.log()}"

    def start(self, command: str) -> None:
        """Run a command that does not end; a server takes the place of the one before, on a free port."""
        if "runserver" in command:
            self.stop("manage.py")
            command += f" {self.port}"
        program, *arguments = shlex.split(command)
        own = self.directory / "venv/bin" / program
        words = [str(own) if own.exists() else program, *arguments]
        if program == "python" and not own.exists():
            words[0] = sys.executable
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                words, cwd=self.directory, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(process)

    def wait_for_log(self, text: str) -> None:
        """Wait until a command has printed ``text``."""
        wait_for(lambda: text in self.log(), f"{text!r} in the log", 60)

    def log(self) -> str:
        """Return what the commands printed."""
        return self.log_file.read_text(errors="replace")

    def stop(self, word: str = "") -> None:
        """Press Ctrl-C in every terminal, or in those whose command has a ``word``."""
        chosen = [process for process in self.running if not word or word in process.args]
        for process in reversed(chosen):
            press_ctrl_c(process)
        self.running = [process for process in self.running if process not in chosen]
