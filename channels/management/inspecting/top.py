"""``manage.py channels top``: the state of a layer in the terminal, drawn anew every few seconds."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from django.core.management.base import CommandError

from channels.exceptions import LayerUnavailable
from channels.management.inspecting import tables
from channels.observe import overview
from channels.observe.overview import Overview

_LOST = "dropped"


def run(layer: Any, interval: float) -> None:
    """Show ``layer`` until interrupted.

    Args:
        layer: Wrapper of the layer.
        interval: Seconds between two looks.

    Raises:
        CommandError: The package rich is not installed.
    """
    try:
        from rich.live import Live
    except ImportError as error:
        raise CommandError("top needs the package rich: pip install 'channels-classic[top]'") from error
    before: Overview | None = None
    with Live(screen=True, auto_refresh=False) as live:
        try:
            while True:
                try:
                    picture = overview.take(layer)
                except LayerUnavailable as error:
                    live.update(_trouble(error), refresh=True)
                else:
                    live.update(_draw(picture, before or picture), refresh=True)
                    before = picture
                time.sleep(interval)
        except KeyboardInterrupt:
            return


def _trouble(error: LayerUnavailable) -> Any:
    from rich.panel import Panel
    from rich.text import Text

    return Panel(Text(str(error)), title="The layer cannot be reached", border_style="red")


def _draw(picture: Overview, before: Overview) -> Any:
    from rich.console import Group

    rates = overview.rates(before, picture)
    per_second = max(0, picture.sent - before.sent) / max(picture.at - before.at, 1e-3)
    head = f"{picture.layer}   {per_second:.1f} messages/s   {picture.refused} refused   {picture.group_count} groups"
    lost = [row for row in tables.counter_rows(picture) if f".{_LOST}." in str(row[0])]
    full = {row.name for row in picture.channels if row.is_full}
    return Group(
        f"[bold]channels top[/bold]  {head}  (Ctrl-C ends)",
        _table(tables.PROCESS_COLUMNS, tables.process_rows(picture)),
        _table(tables.CHANNEL_COLUMNS, tables.channel_rows(picture, rates), full),
        _table(tables.CONSUMER_COLUMNS, tables.consumer_rows(picture)[:10]),
        _table(tables.COUNTER_COLUMNS, lost),
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], alarming: Collection[object] = ()) -> Any:
    """Return a table to be drawn; rows whose first cell is among ``alarming`` stand out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, expand=True)
    for at, column in enumerate(columns):
        drawn.add_column(column, justify="left" if at == 0 else "right", no_wrap=at == 0)
    for row in rows:
        # As text: brackets in what processes say of themselves are no markup.
        drawn.add_row(*(Text(str(cell)) for cell in row), style="bold red" if row[0] in alarming else None)
    return drawn
