"""Writes the table of the peers as a part of the documentation."""

import itertools
from pathlib import Path
from typing import Any

INCLUDED = Path(__file__).resolve().parent.parent / "docs" / "benchmarks-table.inc"

HEAD = """\
.. Written by python -m benchmarks table --write: measure again instead of changing it.

.. list-table::
   :header-rows: 1
   :widths: 40 20 20 20

   * - Work and stack
     - Rate
     - Half of the answers within
     - Channels classic is
"""


def times(value: float) -> str:
    """Return how much faster or slower ours is, in words."""
    if value >= 1:
        return f"{value:,.1f} times faster" if value < 10 else f"{value:,.0f} times faster"
    return f"{1 / value:,.1f} times slower"


def render(found: dict[str, Any]) -> str:
    """Return what the page includes."""
    lines = [HEAD]
    for work, rows in itertools.groupby(found["rows"], key=lambda row: row["work"]):
        lines.append(f"   * - **{work}**\n     -\n     -\n     -\n")
        for row in rows:
            lost = f", {row['lost']:.0f} rounds lost messages" if row.get("lost") else ""
            within = f"{row['p50_ms']:.2f} ms" if "p50_ms" in row else ""
            same = "" if row["stack"].startswith("channels, ") else times(row["times"])
            lines.append(f"   * - {row['stack']}{lost}\n     - {row['rate']:,.0f} {row['unit']}\n")
            lines.append(f"     - {within}".rstrip() + f"\n{f'     - {same}'.rstrip()}\n")
    for name, ratio in found["durable"].items():
        lines.append(f"\nDelivery at least once, {name}: {ratio:.2f} times the cost of delivery at most once.\n")
    lines.append(f"\nMeasured on {found['machine']}.\n")
    return "".join(lines)


def write(found: dict[str, Any]) -> None:
    """Replace what the page includes."""
    INCLUDED.write_text(render(found), encoding="utf-8")
