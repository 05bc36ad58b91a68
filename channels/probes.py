"""Probes: messages by which operators learn whether a channel is consumed and how long that takes.

Whoever would act on a message answers a probe instead, at once: workers in ``dispatch``, the interface in ``replies``.
User code never sees one. Answers go only to channels that were made for them, so that a probe that somebody forged
reaches nobody else.
"""

import os
import socket
import time

from channels.types import Content

PROBE = "__probe__"
"""Key of the content of a probe: where its answer goes, and a number to know it by."""

ANSWER_PATTERN = "probe.answer?"
"""What channels for answers begin with."""


def make(reply: str, number: int) -> Content:
    """Return the content of a probe that is to be answered on ``reply``, a channel made from ``ANSWER_PATTERN``."""
    return {PROBE: {"reply": reply, "number": number}}


def answer_to(channel: str, content: Content) -> tuple[str, Content] | None:
    """Return where the answer to the probe ``content`` goes, and its content; None if it is not a proper probe.

    Args:
        channel: Where the probe arrived.
        content: A content with the key ``PROBE``.
    """
    probe = content[PROBE]
    if not isinstance(probe, dict) or not str(probe.get("reply")).startswith(ANSWER_PATTERN):
        return None
    answer = {
        "number": probe.get("number"),
        "channel": channel,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "time": time.time(),
    }
    return str(probe["reply"]), answer
