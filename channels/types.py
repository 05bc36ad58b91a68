"""The type aliases that name the protocols on both sides of a layer. No behaviour lives here."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Content = dict[str, Any]
"""The content of one message: a dict with str keys and JSON-like values (bytes allowed)."""

Consumer = Callable[..., Any]
"""Called with one positional ``Message`` and the keyword arguments that routing captured."""

Scope = MutableMapping[str, Any]
"""An ASGI-3 connection scope."""

Event = MutableMapping[str, Any]
"""An ASGI-3 event."""

Receive = Callable[[], Awaitable[Event]]
"""The ASGI-3 callable that waits for the next event of a client."""

Send = Callable[[Event], Awaitable[None]]
"""The ASGI-3 callable that hands an event to a client."""

ActionLogger = Callable[[str, str, dict[str, Any]], None]
"""Called with (protocol, action, details) for each thing an operator may want to see."""
