"""Upkeep of the layer between processes."""

import functools
from collections.abc import Collection, Sequence

from channels.layers.ipc.ledger import Ledger
from channels.layers.ipc.steps import Runner

CHANNELS_PER_CHANGE = 500
"""Others wait while a transaction runs, so it renews no more than so many channels."""


class LedgerUpkeep:
    """See ``channels.layers.upkeep.Upkeep``.

    Args:
        runner: Carries out changes.
        group_expiry: Seconds that memberships live.
    """

    def __init__(self, runner: Runner, group_expiry: float) -> None:
        self._runner = runner
        self._group_expiry = group_expiry

    def epoch(self) -> str:
        """Return what a flush, and a new file, change."""
        epoch: str = self._runner.change(lambda ledger: ledger.execute("SELECT epoch FROM totals").fetchone()[0])
        return epoch

    def renew(self, channels: Collection[str]) -> None:
        """Renew the memberships of ``channels``."""
        ordered = list(channels)
        for first in range(0, len(ordered), CHANNELS_PER_CHANGE):
            part = ordered[first : first + CHANNELS_PER_CHANGE]
            self._runner.change(functools.partial(self._renew, part))

    def _renew(self, channels: Sequence[str], ledger: Ledger) -> None:
        for channel in channels:
            ledger.execute(
                "UPDATE members SET until = ? WHERE channel = ? AND until > ?",
                (ledger.now + self._group_expiry, channel, ledger.now),
            )
