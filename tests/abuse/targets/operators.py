"""What operators are shown of a layer that others can write to: tables, pages, metrics, the doctor's findings."""

import io
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from rich.console import Console

from channels.layers.inmemory import ChannelLayer
from channels.layers.inspection import Announcement
from channels.management.inspecting import tables, top
from channels.monitor.pictures import describe
from channels.observe import overview
from channels.observe.doctor import Doctor
from channels.registry import ChannelLayerWrapper
from tests.abuse.strategies import CONTENTS, NAMES, VALUES
from tests.abuse.target import Check, target

TOLD = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["worker", "server"]) | VALUES,
        "host": st.text(max_size=4) | st.just("\x1b[2J[/x]") | VALUES,
        "pid": VALUES,
        "started": VALUES,
        "time": VALUES,
        "channels": st.lists(NAMES | VALUES, max_size=2) | VALUES,
        "counters": st.dictionaries(NAMES, VALUES, max_size=2) | VALUES,
        "consumers": st.dictionaries(NAMES, st.lists(VALUES, max_size=3), max_size=2) | VALUES,
        "only_channels": st.lists(VALUES, max_size=2) | VALUES,
        "exclude_channels": VALUES,
        "busy": VALUES,
        "threads": VALUES,
        "connections": VALUES,
        "metrics": VALUES,
        "version": VALUES,
    },
)
"""What a process says of itself, nearly right."""


@target(st.lists(st.tuples(NAMES | st.text(max_size=5), TOLD | CONTENTS), max_size=3))
def announcements() -> Iterator[Check]:
    """What processes say of themselves: shown, or passed over, in commands, on the page and by the doctor."""
    layer = ChannelLayerWrapper(ChannelLayer(), "default", [])
    layer.local_only = lambda: False  # type: ignore[method-assign]
    told: list[Announcement] = []
    layer.inspection.announced = lambda: told

    def check(found: Any) -> None:
        now = layer.inspection.now()
        told[:] = [Announcement(name, content, now) for name, content in found]
        picture = overview.take(layer)
        shown = [
            tables.table("processes", tables.PROCESS_COLUMNS, tables.process_rows(picture)),
            tables.table("channels", tables.CHANNEL_COLUMNS, tables.channel_rows(picture, {})),
            tables.table("consumers", tables.CONSUMER_COLUMNS, tables.consumer_rows(picture)),
            tables.table("counters", tables.COUNTER_COLUMNS, tables.counter_rows(picture)),
            *(f"{finding.hop} {finding.text} {finding.advice}" for finding in Doctor(layer).examine()),
        ]
        assert "\x1b" not in "".join(shown)
        json.dumps(describe(picture), allow_nan=False)
        Console(file=io.StringIO()).print(top._draw(picture, picture))

    yield check
