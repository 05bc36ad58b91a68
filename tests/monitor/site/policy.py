"""A policy of content that allows nothing but files and sockets of this site."""

from collections.abc import Callable
from typing import Any

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"


def strict_policy(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return middleware that sends the policy with every response."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware
