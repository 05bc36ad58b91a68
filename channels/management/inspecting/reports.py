"""What ``manage.py channels`` shows of a layer as a whole: status and doctor."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from channels.management.inspecting import tables
from channels.observe import overview
from channels.observe.doctor import Doctor, Level, Standards

Write = Callable[[str], Any]


def status(layer: Any, write: Write, interval: float, as_json: bool) -> None:
    """Show channels, groups and processes; rates are those of ``interval`` seconds."""
    before = overview.take(layer)
    time.sleep(interval)
    picture = overview.take(layer)
    rates = overview.rates(before, picture)
    if as_json:
        shown = dataclasses.asdict(picture)
        for row in shown["channels"]:
            row["rate"] = round(rates[row["name"]], 3)
        del shown["at"]
        write(json.dumps(shown, indent=2, default=str))
        return
    write(f"Layer {picture.layer}: {picture.sent} messages sent, {picture.refused} refused because a channel was full")
    if not picture.is_inspected:
        write("This layer cannot tell of channels, groups and processes.")
    write("")
    write(tables.table("Processes", tables.PROCESS_COLUMNS, tables.process_rows(picture)))
    write("")
    write(tables.table("Channels", tables.CHANNEL_COLUMNS, tables.channel_rows(picture, rates)))
    if picture.unseen:
        write(f"  and {picture.unseen} more")
    write("")
    title = f"Groups ({picture.group_count})"
    write(tables.table(title, ("group", "members"), [[name, size] for name, size in picture.groups.items()]))
    write("")
    write(tables.table("Consumers", tables.CONSUMER_COLUMNS, tables.consumer_rows(picture)))
    write("")
    write(tables.table("Counters", tables.COUNTER_COLUMNS, tables.counter_rows(picture)))


def doctor(layer: Any, write: Write, standards: Standards, as_json: bool, style: Any) -> None:
    """Show what the doctor finds.

    Raises:
        CommandError: Something is broken.
    """
    paint = {Level.GOOD: style.SUCCESS, Level.SLOW: style.WARNING, Level.BROKEN: style.ERROR}
    found = []
    for finding in Doctor(layer, standards).examine():
        found.append(finding)
        if not as_json:
            write(f"{paint[finding.level](finding.level.value.ljust(6))}  {finding.hop}: {finding.text}")
            if finding.advice:
                write(f"        {finding.advice}")
    if as_json:
        write(json.dumps([{**dataclasses.asdict(one), "level": one.level.value} for one in found], indent=2))
    broken = sorted({finding.hop for finding in found if finding.level is Level.BROKEN})
    if broken:
        raise CommandError(f"Broken: {', '.join(broken)}.", returncode=1)
