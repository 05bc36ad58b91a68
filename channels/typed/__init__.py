"""Typed consumers: validated messages, authentication and permissions, groups and events. Needs pydantic.

Import names from here; what is in the modules beside may move.
"""

try:
    import pydantic as _pydantic  # noqa: F401
except ImportError as error:
    raise ImportError(
        "channels.typed needs pydantic, which the extra 'typed' installs: pip install \"channels-classic[typed]\""
    ) from error

from channels.typed.authentication import AuthenticationResult, BaseAuthenticator, DjangoAuthenticator
from channels.typed.consumers import TypedConsumer
from channels.typed.groups import safe_group_name
from channels.typed.handlers import Handler, event_handler, ws_handler
from channels.typed.messages import (
    ACTION_COMPLETE,
    GROUP_ACTION_COMPLETE,
    AuthenticationMessage,
    AuthenticationPayload,
    BaseChannelEvent,
    BaseGroupMessage,
    BaseMessage,
    CompleteMessage,
    ErrorMessage,
    GroupCompleteMessage,
    PingMessage,
    PongMessage,
)
from channels.typed.permissions import AllowAny, BasePermission, HasPermission, IsAuthenticated, IsStaff
from channels.typed.protocol import Protocol

__all__ = [
    "ACTION_COMPLETE",
    "GROUP_ACTION_COMPLETE",
    "AllowAny",
    "AuthenticationMessage",
    "AuthenticationPayload",
    "AuthenticationResult",
    "BaseAuthenticator",
    "BaseChannelEvent",
    "BaseGroupMessage",
    "BaseMessage",
    "BasePermission",
    "CompleteMessage",
    "DjangoAuthenticator",
    "ErrorMessage",
    "GroupCompleteMessage",
    "Handler",
    "HasPermission",
    "IsAuthenticated",
    "IsStaff",
    "PingMessage",
    "PongMessage",
    "Protocol",
    "TypedConsumer",
    "event_handler",
    "safe_group_name",
    "ws_handler",
]
