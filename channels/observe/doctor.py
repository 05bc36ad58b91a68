"""The doctor: sends probes through every hop of a layer and says which one is slow or broken, and what to do.

It looks from the outside in: the layer, the clocks, the processes, the channels, then the way through each process. It
changes nothing; probes that nobody takes expire.
"""

import dataclasses
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

from channels import names, probes
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.inspection import inspection_of
from channels.observe import overview
from channels.observe.overview import ChannelRow, Overview
from channels.utils import printable

ROUND_TRIPS = 5
"""How often the way to the layer and back is timed."""

OLD_SECONDS = 10.0
"""Age of the oldest message of a channel from which on it is called slow."""


class Level(Enum):
    """How bad a finding is."""

    GOOD = "ok"
    SLOW = "slow"
    BROKEN = "broken"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one hop.

    Attributes:
        level: How bad it is.
        hop: Where: ``layer``, ``clock``, ``workers``, ``servers``, or the name of a channel.
        text: What was found.
        advice: What to do about it; empty if nothing.
    """

    level: Level
    hop: str
    text: str
    advice: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Standards:
    """What is normal, in seconds.

    Attributes:
        patience: How long an answer to a probe is waited for.
        slow_layer: A way to the layer and back that takes longer is slow.
        slow_answer: A probe that is answered later found a slow hop.
        skew: Difference of clocks from which on they are wrong.
    """

    patience: float = 5.0
    slow_layer: float = 0.1
    slow_answer: float = 1.0
    skew: float = 2.0


class Doctor:
    """Examines one layer.

    Args:
        layer: Wrapper of the layer, with its ``router``.
        standards: What is normal.
    """

    def __init__(self, layer: Any, standards: Standards | None = None) -> None:
        self._layer = layer
        self._standards = standards or Standards()

    def examine(self) -> Iterator[Finding]:
        """Yield what is found, hop by hop; after a hop without which the next make no sense, nothing more."""
        if self._layer.local_only():
            yield Finding(
                *(Level.BROKEN, "layer", f"{self._layer} reaches only the process it lives in."),
                "Use the Redis or the IPC layer where there is more than one process.",
            )
            return
        try:
            yield self._time_layer()
            wanted = sorted(self._layer.router.channels)
            picture = overview.take(self._layer, also=wanted)
            yield from self._compare_clocks(picture)
            yield from self._count_processes(picture, wanted)
            yield from self._look_at_channels(picture, wanted)
            yield from self._send_probes(picture, wanted)
        except ChannelFull as error:
            # Not a channel of the site: those are looked at, and probes to them may fail.
            yield Finding(Level.BROKEN, "layer", f"The layer takes no message: {error}")
        except LayerUnavailable as error:
            yield Finding(
                *(Level.BROKEN, "layer", str(error)),
                "Start the server behind the layer, or correct CONFIG; processes reconnect by themselves.",
            )

    # The layer and the clocks

    def _time_layer(self) -> Finding:
        channel = self._layer.new_channel(probes.ANSWER_PATTERN)
        took = []
        for number in range(ROUND_TRIPS):
            began = time.perf_counter()
            self._layer.send(channel, {"number": number})
            while self._layer.receive([channel])[0] is None:
                if time.perf_counter() - began > self._standards.patience:
                    return Finding(Level.BROKEN, "layer", "A message that was sent to the layer did not come back.")
            took.append((time.perf_counter() - began) / 2)
        middle = statistics.median(took)
        text = f"{self._layer} answers within {middle * 1000:.1f} ms."
        if middle <= self._standards.slow_layer:
            return Finding(Level.GOOD, "layer", text)
        return Finding(
            *(Level.SLOW, "layer", f"The layer is slow: {text}"),
            "Look at the network between here and the server, at its load, and at slow commands of others (SLOWLOG).",
        )

    def _compare_clocks(self, picture: Overview) -> Iterator[Finding]:
        inspection = inspection_of(self._layer)
        if inspection is None:
            return
        began = time.time()
        there = inspection.now()
        ahead = (began + time.time()) / 2 - there
        skews = {f"this machine ({socket.gethostname()})": ahead}
        skews.update({f"{row.kind} {row.pid} on {row.host}": row.skew for row in picture.processes})
        wrong = {who: skew for who, skew in skews.items() if abs(skew) > self._standards.skew}
        for who, skew in wrong.items():
            way = "ahead of" if skew > 0 else "behind"
            yield Finding(
                *(Level.BROKEN, "clock", f"Clock skew: {who} is {abs(skew):.1f} s {way} the clock of the layer."),
                "Synchronise the clocks (NTP): encrypted messages, signed cookies and delayed messages depend on them.",
            )
        if not wrong:
            yield Finding(Level.GOOD, "clock", f"{len(skews)} clocks agree with that of the layer.")

    # Who is there

    def _count_processes(self, picture: Overview, wanted: Sequence[str]) -> Iterator[Finding]:
        if not picture.is_inspected:
            yield Finding(Level.SLOW, "workers", "This layer cannot tell which processes use it.")
            return
        workers, servers = picture.processes_of("worker"), picture.processes_of("server")
        if workers:
            yield Finding(Level.GOOD, "workers", f"{len(workers)} worker processes are there.")
        else:
            yield Finding(
                *(Level.BROKEN, "workers", "No worker is running: nobody consumes any channel of this layer."),
                "Start manage.py runworker, with the same CHANNEL_LAYERS.",
            )
        if servers:
            yield Finding(Level.GOOD, "servers", f"{len(servers)} interface processes are there.")
        elif any(name.startswith("websocket.") for name in wanted):
            yield Finding(
                *(Level.SLOW, "servers", "No interface server is there: no client can open a WebSocket."),
                "Start an ASGI server with the project's asgi.py, if this site serves clients.",
            )

    def _look_at_channels(self, picture: Overview, wanted: Sequence[str]) -> Iterator[Finding]:
        workers = picture.processes_of("worker")
        filters = sorted(
            {f"--{kind.replace('_', '-')}={glob}" for row in workers for kind, glob in _filters(row.details)}
        )
        for row in picture.channels:
            if row.is_full:
                yield Finding(
                    *(Level.BROKEN, row.name, f"Channel {row.name} is full: {row.pending} of {row.capacity} messages."),
                    "Run more workers for it, find what makes its consumers slow, or raise its capacity.",
                )
            elif row.age > OLD_SECONDS:
                yield Finding(
                    *(Level.SLOW, row.name, f"Channel {row.name}: {_backlog(row)}."),
                    "Run more workers for it, or find what makes its consumers slow.",
                )
            if workers and row.name in wanted and not row.workers:
                yield Finding(
                    Level.BROKEN,
                    row.name,
                    f"No worker consumes {row.name}, which the routing has; its {row.pending} messages wait.",
                    f"Correct the channel filters of the workers ({', '.join(filters)})."
                    if filters
                    else "Restart the workers: they run with another routing.",
                )

    # Through the processes

    def _send_probes(self, picture: Overview, wanted: Sequence[str]) -> Iterator[Finding]:
        reply = self._layer.new_channel(probes.ANSWER_PATTERN)
        consumed = {row.name for row in picture.channels if row.workers} if picture.is_inspected else set(wanted)
        targets = {name: name for name in wanted if name in consumed}
        for row in picture.processes_of("server"):
            label = f"server {row.pid} on {row.host}"
            targets.update(
                {f"{prefix}probe": label for prefix in row.channels if names.non_local_name(prefix) == prefix}
            )
        sent: dict[int, tuple[str, float]] = {}
        answered: dict[int, tuple[float, Any]] = {}
        numbered = list(enumerate(targets))
        # All answers go to one channel, which must have room for them.
        room = max(1, self._layer.get_capacity(reply)) if hasattr(self._layer, "get_capacity") else 1
        for first in range(0, len(numbered), room):
            part: dict[int, tuple[str, float]] = {}
            for number, channel in numbered[first : first + room]:
                with suppress(ChannelFull):  # Reported already.
                    self._layer.send(channel, probes.make(reply, number))
                    part[number] = channel, time.monotonic()
            answered.update(self._collect(reply, part))
            sent.update(part)
        for number, (channel, _) in sent.items():
            yield self._judge(targets[channel], channel, answered.get(number))

    def _collect(self, reply: str, sent: dict[int, tuple[str, float]]) -> dict[int, tuple[float, Any]]:
        answered: dict[int, tuple[float, Any]] = {}
        deadline = time.monotonic() + self._standards.patience
        while len(answered) < len(sent) and (left := deadline - time.monotonic()) > 0:
            for delivery in self._layer.receive_batch([reply], len(sent), min(left, 1.0)):
                number = delivery.content.get("number")
                if isinstance(number, int) and number in sent:
                    answered[number] = time.monotonic() - sent[number][1], delivery.content
        return answered

    def _judge(self, hop: str, channel: str, answer: tuple[float, Any] | None) -> Finding:
        if answer is None:
            return Finding(
                *(Level.BROKEN, hop, f"Nobody took a probe from {channel} within {self._standards.patience:g} s."),
                "The processes that are there hang, or are busy with long consumers: see manage.py channels status.",
            )
        seconds, content = answer
        where = printable(f"process {content.get('pid')} on {content.get('host')}")
        text = f"Through {channel} and back in {seconds * 1000:.1f} ms ({where})."
        if seconds <= self._standards.slow_answer:
            return Finding(Level.GOOD, hop, text)
        return Finding(Level.SLOW, hop, text, "Its consumers are slow or too few: look at manage.py channels top.")


def _filters(details: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in ("only_channels", "exclude_channels"):
        for glob in details.get(kind, ()):
            yield kind, glob


def _backlog(row: ChannelRow) -> str:
    return f"{row.pending} messages wait, the oldest for {row.age:.0f} s"
