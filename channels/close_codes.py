"""Which close codes a WebSocket may be closed with. Names of them are for the package; projects write numbers."""

NORMAL_CLOSURE = 1000
UNSUPPORTED_DATA = 1003
MALFORMED_TEXT = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013

_SENDABLE_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


def is_sendable_close_code(code: object) -> bool:
    """Return whether ``code`` is a close code that an endpoint may send (RFC 6455, section 7.4)."""
    return (
        isinstance(code, int) and not isinstance(code, bool) and (code in _SENDABLE_CLOSE_CODES or 3000 <= code <= 4999)
    )


def read_close_code(close: object) -> int:
    """Return the close code that the ``close`` of a message asks for; True asks for 1000.

    Raises:
        ValueError: The code may not be sent.
    """
    if close is True:
        return NORMAL_CLOSURE
    if not is_sendable_close_code(close):
        raise ValueError(f"invalid close code {close!r}: use True, 1000 to 1003, 1007 to 1014 or 3000 to 4999.")
    return int(close)  # type: ignore[call-overload,no-any-return]
