"""Clients that send invalid messages without end: answered for a while, then not, then closed."""

import enum
import time
from typing import Any

from channels.typed import settings

KEY = "channels.typed.invalid"
"""Where the count is in the channel session: when the window began, and how many came in it."""

TOO_MANY_INVALID = 4429
"""Close code of a socket whose client sent too many invalid messages."""


class Verdict(enum.Enum):
    """What becomes of an invalid message."""

    ANSWER = "answer"
    IGNORE = "ignore"
    CLOSE = "close"


def judge_invalid(session: Any) -> Verdict:
    """Count one more invalid message of a connection and return what becomes of it.

    Messages of one connection that are consumed at the same time may be counted as one: this is a brake, not a ledger.
    """
    now = time.time()
    began, count = session.get(KEY) or (now, 0)
    if not 0 <= now - began < settings.get("INVALID_MESSAGE_WINDOW"):
        began, count = now, 0
    count += 1
    session[KEY] = [began, count]
    if count > settings.get("INVALID_MESSAGE_CLOSE"):
        return Verdict.CLOSE
    return Verdict.ANSWER if count <= settings.get("INVALID_MESSAGE_LIMIT") else Verdict.IGNORE
