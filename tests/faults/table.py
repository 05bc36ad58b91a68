"""The table of the catalogue and what runs showed: for the terminal, and as a page of the documentation."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tests.faults.crowd import RATE
from tests.faults.promises import NOTHING
from tests.faults.results import Results
from tests.faults.scenarios import BACK_SECONDS, SCENARIOS, SINGLE, Scenario
from tests.faults.site.promised import ORDERING_SECONDS
from tests.faults.stage import CLIENTS, INTERFACES, REDELIVERY_SECONDS, WORKERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.rst"

COLUMNS = ("sent", "lost", "out_of_order", "repeated", "unanswered", "cut_off")

INTRODUCTION = f"""\
What faults can do
==================

.. Made by tests/faults/table.py from the catalogue in tests/faults/scenarios.py and from docs/faults.json.

What is lost when something dies? This page says it for each fault, and what a run showed. A site of {INTERFACES}
interfaces and {WORKERS} workers is under traffic: {CLIENTS} clients send {RATE:g} frames a second each, half of them on
sockets with enforced order, and each message carries an id. Then the fault happens. Diaries of interfaces and consumers
and the logs of the clients tell what became of each message.

For every fault, in both modes:

* No message reaches a socket that it is not for.
* Where order is enforced, consumers and clients see no message before an earlier one.
* A frame that the layer did not take was sent on a socket that is closed then: the client knows.
* No process ends or has to be restarted, no socket stays stuck, and every client is served again.
* Sockets that stay open stay in their groups, unless it is said below that memberships may end.
* No process logs a traceback.

Delivered at most once, no message is consumed twice, and none arrives twice. Delivered at least once (see
:doc:`layers`), none is lost, unless the server itself loses what it held. When Redis is back after a restart, all
processes serve again within {BACK_SECONDS:g} seconds. ``websocket.disconnect`` alone is sent again when it is not
known whether the layer took it: consumers that clean up may run twice.

Replicas of Redis lag behind, and nobody waits for them: what no replica had when its master was lost is lost in both
modes, however rarely a run shows it. ``min-replicas-to-write`` of Redis makes that less, not nothing.

Memberships of groups are lost with the memory of a server; interfaces notice within five seconds and close their
sockets over five more, so that clients come back. When the clock of Redis jumps forward by more than a minute they
notice within half a minute. Where only some keys are evicted, or no replica had a membership yet, sockets may stay open
and be members no more: set ``maxmemory-policy noeviction``.

Where order is enforced, a lost message is a gap: after ``CHANNELS_ORDERING_TIMEOUT`` (here {ORDERING_SECONDS:g}
seconds) the socket is closed with 1013, and its later messages are dropped, see :doc:`ordering`. Where ordered channels
are delivered at least once, ``CHANNELS_ORDERING_TIMEOUT`` must be longer than one and a half times
``redelivery_after`` (here {REDELIVERY_SECONDS:g} second), or a socket is closed before the message of a killed worker
comes again. Where connections to Redis may fall silent, add ``socket_timeout``.

What may be lost, or come twice, stands under each fault, beside what the run showed:

sent
    Frames that clients sent.
lost
    Taken by the layer, and never consumed.
gap
    The same, on ordered sockets that were closed after a gap.
twice
    Consumed more than once.
no answer
    Consumed, but the answer did not reach a socket that stayed open.
cut off
    Not taken by the layer, on sockets that were closed.
back
    Seconds from the end of the fault until every process served, and until every client was served. The start of a
    process in the place of one that ended counts, and the time that ordered sockets wait for what was lost.

The table is made by a run on two cores. Run it yourself in a checkout, in about seven minutes:

.. code-block:: console

   $ python -m pytest tests/faults
"""

LONG_RUNS = """\
Long runs
---------

``tox -e soak`` keeps mixed traffic up for an hour, or for ``SOAK_SECONDS``: sockets that come and go, rooms, ordered
and other frames, requests. Memory, open files and keys in Redis must not grow, except as the same server grows without
this package. An hour of it on a machine that did much else, with 953,551 frames on 10,070 sockets and 23,317 requests,
lost, repeated and reordered nothing, and left no key behind. The last column is the slope of the line that fits the
last 45 minutes best:

.. list-table::
   :header-rows: 1

   * - Process
     - at first
     - after a quarter
     - after half
     - after an hour
     - a minute
   * - The bare server, with as many sockets as an interface
     - 32.7 MB
     - 41.6 MB
     - 42.3 MB
     - 44.7 MB
     - 79 kB
   * - Interfaces
     - 61.7 and 61.9 MB
     - 69.6 and 70.7 MB
     - 75.6 and 74.9 MB
     - 75.8 and 75.1 MB
     - 100 and 64 kB
   * - Workers
     - 56.6 MB
     - 56.8 MB
     - 56.8 MB
     - 56.8 MB
     - 0.6 and 0.5 kB
   * - Redis
     - 12.9 MB
     - 13.4 MB
     - 13.5 MB
     - 13.5 MB
     - 5 kB

What grows in servers are the states of compression of sockets, until there are as many as ever will be. All processes
had as many files open in the end as in the beginning.

``python -m benchmarks.idle`` opens 5,000 idle sockets on one interface, with 200 active ones beside them. An idle
socket took 23.5 kB, and 18.7 kB on the bare server. In 20 minutes with all of them open, and more than a million
answers, the interface grew by 84 kB a minute, the bare server by 204 kB.
"""

HEAD = ("Fault", "sent", "lost", "gap", "twice", "no answer", "cut off", "back")
WIDTHS = (44, 8, 8, 8, 8, 8, 8, 8)


def lines(results: Results) -> Iterator[str]:
    """Yield the table for a terminal."""
    yield f"{'fault':<72} {'mode':<14}" + "".join(
        f"{name:>11}" for name in (*(name.replace("_", " ") for name in COLUMNS), "serving", "served")
    )
    for scenario in SCENARIOS:
        if figures := results.get(scenario.key):
            numbers = "".join(f"{figures[name]:>11,}" for name in COLUMNS)
            times = f"{figures['serving']:>9.1f} s{figures['served']:>9.1f} s"
            yield f"{scenario.fault:<72} {scenario.mode.value:<14}{numbers}{times}"


def page(results: Results) -> str:
    """Return the page of the documentation.

    Raises:
        KeyError: There is no result of a scenario.
    """
    parts = [INTRODUCTION]
    for group, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.group):
        parts.append(f"{group}\n{'-' * len(group)}\n")
        parts.append(_table([row for scenario in scenarios for row in _rows(scenario, results)]))
    return "\n".join([*parts, LONG_RUNS])


def _rows(scenario: Scenario, results: Results) -> Iterator[list[str]]:
    figures = results[scenario.key]
    where = "" if scenario.where == SINGLE else f" ({scenario.where})"
    numbers = [f"{figures[name]:,}" for name in COLUMNS]
    times = f"{figures['serving']:.1f}, {figures['served']:.1f} s"
    yield [f"{scenario.fault}{where}. *{scenario.mode.value.capitalize()}:* {_words(scenario)}", *numbers, times]


def _words(scenario: Scenario) -> str:
    """Return what is promised, in words."""
    promise = scenario.promise
    parts = [("may be lost", promise.lost), ("may come twice", promise.repeated)]
    parts += [("answers that may be missing", promise.unanswered)]
    words = [f"{what}: {bound.text}" for what, bound in parts if bound is not NOTHING]
    if promise.gaps:
        words.append("gaps")
    if not promise.keeps_rooms:
        words.append("memberships of groups may end")
    return ("; ".join(words) or "nothing is lost, nothing comes twice") + "."


def _table(rows: list[list[str]]) -> str:
    widths = " ".join(map(str, WIDTHS))
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [list(HEAD), *rows]:
        lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def write(results: Results) -> None:
    """Write the page of the documentation."""
    PAGE.write_text(page(results), encoding="utf-8")
