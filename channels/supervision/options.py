"""The options of ``runworker`` that limit workers and tell of their health, and what is made of them."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from django.core.management.base import CommandError, CommandParser

from channels import conf
from channels.observe.start import watch
from channels.supervision.children import this_command
from channels.supervision.health import HealthFile, HealthPort
from channels.supervision.limits import Budget
from channels.supervision.link import ToSupervisor
from channels.supervision.questions import answer_in_thread, find_questions
from channels.supervision.supervisor import HANG_SECONDS, Supervisor
from channels.supervision.systemd import Systemd
from channels.supervision.watch import Reporter, Watch

AT_LEAST_ONE = ("threads", "processes", "max_messages", "max_memory")

NOT_RELOADED = ("processes", "max_messages", "max_memory", "health_file", "health_port")
"""Options that do nothing for a worker which starts again when the code changes."""

LEAST_HANG_SECONDS = 2.0
"""Processes say something about twice a second."""

MIB = 1024 * 1024


def add_arguments(parser: CommandParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="Run N worker processes under a supervisor, which replaces those that end (default: this process works).",
    )
    parser.add_argument(
        "--max-messages",
        type=int,
        metavar="N",
        help="Stop a process after N messages, and up to a tenth more at random; a supervisor starts a fresh one.",
    )
    parser.add_argument(
        "--max-memory",
        type=int,
        metavar="MIB",
        help="Stop a process that has more MiB of memory, as --max-messages does.",
    )
    parser.add_argument(
        "--grace",
        type=float,
        metavar="SECONDS",
        help="How long what runs may take to finish at a stop (default: the setting CHANNELS_STOP_GRACE, "
        f"{conf.SETTINGS['CHANNELS_STOP_GRACE'].default}).",
    )
    parser.add_argument(
        "--hang-time",
        type=float,
        metavar="SECONDS",
        help="With --processes: how long a process may say nothing of itself before it is killed and replaced "
        f"(default: {HANG_SECONDS:g}).",
    )
    parser.add_argument(
        "--metrics-port",
        metavar="[HOST:]PORT",
        help="Show metrics to Prometheus, with --processes those of all; comes before the setting CHANNELS_METRICS.",
    )
    parser.add_argument("--autoreload", action="store_true", help="Start again when the code changes; for development.")
    _add_watching(parser)


def _add_watching(parser: CommandParser) -> None:
    parser.add_argument(
        "--health-file", metavar="PATH", help="Keep a file that is there and fresh while the workers live."
    )
    parser.add_argument(
        "--health-port", metavar="[HOST:]PORT", help="Answer HTTP at /live and /ready; HOST is 127.0.0.1 by default."
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What was asked for.

    Attributes:
        processes: How many worker processes; None is this one, without a supervisor.
        max_messages: Messages of a process.
        max_memory: Bytes of a process.
        grace: Seconds.
        health_file: Path.
        health_port: Host and port.
        hang_time: Seconds.
        metrics_port: Host and port.
    """

    processes: int | None
    max_messages: int | None
    max_memory: int | None
    grace: float
    health_file: str | None
    health_port: tuple[str, int] | None
    hang_time: float = HANG_SECONDS
    metrics_port: tuple[str, int] | None = None

    def make_budget(self) -> Budget | None:
        """Return what counts the messages of this process, if they are limited."""
        return None if self.max_messages is None else Budget(self.max_messages)

    def make_reporters(self) -> list[Reporter]:
        """Return what tells of health.

        Raises:
            CommandError: The port is taken, or the file cannot be written.
        """
        reporters: list[Reporter] = []
        if self.health_file is not None:
            try:
                reporters.append(HealthFile(self.health_file))
            except OSError as error:
                raise CommandError(f"--health-file: cannot write {self.health_file}: {error.strerror}") from error
        if self.health_port is not None:
            with _names_the_port("--health-port", self.health_port):
                reporters.append(HealthPort(*self.health_port))
        return reporters

    def make_watch(self, worker: Any, budget: Budget | None, link: ToSupervisor | None) -> Watch:
        """Return what looks after the worker of this process. Under a supervisor that one tells of health."""
        return Watch(
            worker,
            grace=self.grace,
            max_memory=self.max_memory,
            budget=budget,
            link=link,
            systemd=Systemd() if link is None else None,
            reporters=self.make_reporters() if link is None else (),
        )

    def make_supervisor(self) -> Supervisor:
        """Return what runs this very command in processes of its own."""
        assert self.processes is not None
        supervisor = Supervisor(
            this_command(), self.processes, self.grace, Systemd(), self.make_reporters(), self.hang_time
        )
        if self.metrics_port is not None:
            metrics = _import_metrics()
            with _names_the_port("--metrics-port", self.metrics_port):
                metrics.show_all(supervisor.running, *self.metrics_port)
        return supervisor

    def show_metrics(self) -> None:
        """Show the metrics of this process, or tell them to the supervisor when it asks.

        Raises:
            CommandError: The port is taken, or prometheus-client is not installed.
        """
        asked = find_questions()
        if self.metrics_port is None:
            if asked is not None:
                asked.close()
            return
        metrics = _import_metrics()
        if asked is not None:
            answer_in_thread(asked, metrics.make_answer())
            watch.are_shown_at("{}:{}".format(*self.metrics_port))
            return
        with _names_the_port("--metrics-port", self.metrics_port):
            metrics.show(*self.metrics_port)


def read_options(options: Mapping[str, Any]) -> Limits:
    """Return what the options of the command ask for.

    Raises:
        CommandError: They ask for what cannot be.
    """
    for name in AT_LEAST_ONE:
        if options.get(name) is not None and options[name] < 1:
            raise CommandError(f"--{name.replace('_', '-')} must be 1 or more.")
    grace = options.get("grace")
    if grace is not None and grace < 0:
        raise CommandError("--grace must be 0 or more.")
    for name in NOT_RELOADED:
        if options.get("autoreload") and options.get(name):
            option = name.replace("_", "-")
            raise CommandError(f"--autoreload does not go with --{option}; in development there is --threads.")
    hang_time = options.get("hang_time")
    if hang_time is not None and hang_time < LEAST_HANG_SECONDS:
        raise CommandError(f"--hang-time must be {LEAST_HANG_SECONDS:g} or more.")
    max_memory = options.get("max_memory")
    return Limits(
        processes=options.get("processes"),
        max_messages=options.get("max_messages"),
        max_memory=None if max_memory is None else max_memory * MIB,
        grace=conf.get("CHANNELS_STOP_GRACE") if grace is None else grace,
        health_file=options.get("health_file"),
        health_port=_read_address("--health-port", options.get("health_port")),
        hang_time=HANG_SECONDS if hang_time is None else hang_time,
        metrics_port=_read_address("--metrics-port", options.get("metrics_port")),
    )


def _import_metrics() -> ModuleType:
    try:
        from channels.supervision import metrics
    except ImportError as error:
        raise CommandError("--metrics-port needs prometheus-client: pip install 'channels-classic[metrics]'") from error
    return metrics


@contextlib.contextmanager
def _names_the_port(option: str, address: tuple[str, int]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{option}: cannot listen on {address}: {error}") from error


def _read_address(option: str, text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = str(text).rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise CommandError(f"{option} must be a port, or HOST:PORT, not {text!r}.")
    return host or "127.0.0.1", int(port)
