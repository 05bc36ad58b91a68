"""The view system as a consumer: ``AsgiHandler`` runs requests through Django, ``ViewConsumer`` sends the responses.

Requests are parsed in ``channels.request``. Middleware, views and error pages are Django's ``BaseHandler`` in its
synchronous form; asynchronous views, middleware and streams are adapted.
"""

import logging
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import IO, Any

from django.conf import settings
from django.core import signals
from django.core.exceptions import BadRequest
from django.core.handlers.asgi import get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseServerError
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from channels import counters, formats, locales
from channels.backoff import Backoff
from channels.exceptions import (
    ChannelFull,
    RequestAborted,
    RequestBroken,
    RequestTimeout,
    ResponseLater,
    UnusableMessage,
)
from channels.request import AsgiRequest, make_scope, read_body
from channels.streaming import CLIENT_GONE, CLIENT_SLOW, ResponseWindow, iterate_async
from channels.types import Content
from channels.utils import printable

__all__ = ["AsgiHandler", "AsgiRequest", "ViewConsumer"]

logger = logging.getLogger("django.request")

DEFAULT_CHUNK_SIZE = 512 * 1024
"""Bytes of a response in one message: half of what every layer must be able to carry."""


class _NoResponse(HttpResponse):
    """Stands for ``ResponseLater`` on its way out through the middleware, which must find nothing to keep in it."""

    def __init__(self) -> None:
        # Not 200 and not to be stored: a cache must not answer the next client with it, nor conditional GET use it.
        super().__init__(status=204, headers={"Cache-Control": "no-store"})


def _parts(response: Any) -> Generator[bytes, None, None]:
    yield from iterate_async(response.streaming_content) if response.is_async else response


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    """Return the header pairs of a response, names in the case they were given, one ``Set-Cookie`` per cookie."""
    pairs = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
    return pairs + cookies


class AsgiHandler(BaseHandler):
    """Runs ``http.request`` messages through middleware and views. The middleware is built once per handler.

    Attributes:
        request_class: Made with a message and its body, an open file.
        chunk_size: Most bytes of a response that one message carries.
    """

    request_class: type[AsgiRequest] = AsgiRequest
    chunk_size = DEFAULT_CHUNK_SIZE

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    def __call__(self, message: Any) -> Generator[Content, None, None]:
        """Yield the contents to send to the reply channel of ``message``; none if somebody else answers.

        Whatever happens an answer comes to an end: an error before the first message becomes a response with
        status 500, a later one a last message that says that the response is incomplete. Both are logged.

        Args:
            message: A ``Message`` in ``http.request`` format.
        """
        with locales.restored():  # What runs in this thread next is for another visitor.
            yield from self._answer(message)

    def _answer(self, message: Any) -> Generator[Content, None, None]:
        try:
            response = self._respond(message)
        except Exception as error:
            response = self._last_resort(message, error)
        if response is None:
            return
        try:
            yield from self._encode(response, message)
        finally:
            response.close()

    def _encode(self, response: HttpResponseBase, message: Any) -> Generator[Content, None, None]:
        begun = False
        try:
            with closing(self.encode_response(response)) as contents:
                for content in contents:
                    yield content
                    begun = True
        except Exception as error:
            last_resort = self._last_resort(message, error)
            if begun:
                yield formats.http_response_chunk(closed=True)
            else:
                yield from self.encode_response(last_resort)

    def _respond(self, message: Any) -> HttpResponseBase | None:
        """Return Django's response, or None if nothing is to be sent."""
        try:
            body = read_body(message, self.request_class.body_receive_timeout)
        except RequestAborted:
            logger.debug("The client of %s went away before its body was complete.", printable(message.get("path")))
            return None
        except RequestBroken as error:
            logger.error("Service Unavailable: %s (%s)", printable(message.get("path")), error)
            return HttpResponse("503 Service Unavailable (upload lost)", status=503, content_type="text/plain")
        except RequestTimeout:
            logger.warning("Request Timeout: %s", printable(message.get("path")), extra={"status_code": 408})
            return HttpResponse("408 Request Timeout (upload too slow)", status=408, content_type="text/plain")
        try:
            request = self._begin(message, body)
        except (ValueError, BadRequest) as error:
            # Not UTF-8, or a header that Django refuses to parse.
            body.close()
            # Without a traceback, unlike Django's: a client must not be able to fill the log with them.
            logger.warning("Bad Request (%s)", type(error).__name__, extra={"status_code": 400})
            logger.debug("What was bad in it: %s", error)
            return HttpResponseBadRequest()
        except BaseException:
            body.close()
            raise
        return self._settle(request, self.get_response(request))

    def _begin(self, message: Any, body: IO[bytes]) -> AsgiRequest:
        for key in ("method", "path"):
            if message.get(key) is None:
                raise UnusableMessage(f"It has no {key!r}: only messages of the interface make requests.")
        scope = make_scope(message)
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=type(self), message=message, scope=scope)
        return self.request_class(message, body)

    def _settle(self, request: Any, response: HttpResponseBase) -> HttpResponseBase | None:
        response._handler_class = type(self)  # type: ignore[attr-defined]
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if getattr(request, "_response_later", False):
            response.close()
            return None
        return response

    def _get_response(self, request: HttpRequest) -> HttpResponseBase:
        # Caught inside the innermost of Django's conversions from exception to response, so that every middleware
        # sees a response go by, synchronous or not.
        try:
            return super()._get_response(request)  # type: ignore[misc,no-any-return]
        except ResponseLater:
            # Noted on the request: middleware may put another response in the place of this one.
            request._response_later = True  # type: ignore[attr-defined]
            return _NoResponse()

    def process_exception_by_middleware(self, exception: Exception, request: HttpRequest) -> Any:
        """Offer an exception of a view to the middleware; ``ResponseLater`` is none of its business."""
        if isinstance(exception, ResponseLater):
            return None
        return super().process_exception_by_middleware(exception, request)

    def _last_resort(self, message: Any, error: Exception) -> HttpResponse:
        """Log an error that Django's own error handling let out and return the response for it."""
        logger.error(
            "Internal Server Error: %s", printable(message.get("path")), exc_info=error, extra={"status_code": 500}
        )
        text = "".join(traceback.format_exception(error)) if settings.DEBUG else "Internal Server Error"
        return HttpResponseServerError(text, content_type="text/plain")

    @classmethod
    def encode_response(cls, response: Any) -> Generator[Content, None, None]:
        """Yield the message contents that carry a Django response. Does not close it.

        The first has its status and headers. A streaming response ends with an empty message, each of its parts
        goes out when it is there; any other is cut into as few messages as its size allows.

        Args:
            response: An ``HttpResponse`` or ``StreamingHttpResponse``, synchronous or not.
        """
        head: Content = {"status": response.status_code, "headers": _headers(response)}
        for chunk, is_last in cls._chunks(response):
            yield {**head, **formats.http_response_chunk(chunk, more_content=not is_last)}
            head = {}

    @classmethod
    def _chunks(cls, response: Any) -> Iterator[tuple[bytes, bool]]:
        if not response.streaming:
            yield from cls.chunk_bytes(response.content)
            return
        with closing(_parts(response)) as parts:
            for part in parts:
                for chunk, _ in cls.chunk_bytes(part):
                    yield chunk, False
        yield b"", True

    @classmethod
    def chunk_bytes(cls, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield (chunk, is_last) for pieces of ``data`` of up to ``chunk_size`` bytes; one for empty data."""
        for start in range(0, len(data) or 1, cls.chunk_size):
            end = start + cls.chunk_size
            yield data[start:end], end >= len(data)


CHANNEL_FULL = "channel_full"

_DROPPED = {
    CLIENT_GONE: (logging.DEBUG, "The client of %s went away"),
    CLIENT_SLOW: (logging.WARNING, "The client of %s took nothing for too long"),
    CHANNEL_FULL: (logging.ERROR, "The reply channel of %s stayed full for too long"),
}
"""Why the rest of a response is dropped, and how that is logged."""


def _sent(channel: Any, content: Content) -> bool:
    try:
        # The last message may leave with what the consumer sends, and so with the next receive of the worker.
        channel.send(content, immediately=content["more_content"])
    except ChannelFull:
        return False
    return True


class ViewConsumer:
    """Answers ``http.request`` with Django's views.

    When the client goes away or a timeout is over, the rest of the response is dropped, what produces it is closed, and
    the worker is free.

    Attributes:
        handler_class: Made once per consumer.
        full_timeout: Seconds for which a message to a full reply channel is tried again; then the interface is
            taken for gone.
        slow_timeout: Seconds for which a response waits for a client that takes no more of it.
    """

    handler_class: type[AsgiHandler] = AsgiHandler

    full_timeout: float = 10

    slow_timeout: float = 60

    def __init__(self) -> None:
        self.handler = self.handler_class()

    def __call__(self, message: Any) -> None:
        """Answer ``message``. Messages leave at once, the last one when the consumer ends.

        Raises:
            ValueError: The message has no reply channel.
        """
        if message.reply_channel is None:
            raise UnusableMessage("A message on http.request must have a reply_channel: where would its response go?")
        window = ResponseWindow(message, self.slow_timeout)
        with closing(self.handler(message)) as replies:
            for content in replies:
                reason = window.wait() or self._send(message.reply_channel, window.mark(content))
                if reason:
                    self._drop(message, reason)
                    return

    def _send(self, channel: Any, content: Content) -> str | None:
        """Send ``content``; return why it could not be sent, or None."""
        deadline = time.monotonic() + self.full_timeout
        pauses = Backoff(first=0.01, longest=0.25)
        while not _sent(channel, content):
            left = deadline - time.monotonic()
            if left <= 0:
                return CHANNEL_FULL
            time.sleep(min(pauses.failed(), left))
        return None

    def _drop(self, message: Any, reason: str) -> None:
        counters.add(f"response.dropped.{reason}")
        level, text = _DROPPED[reason]
        channel = message.reply_channel
        logger.log(
            level, f"{text}; the rest of its response is dropped (%s).", printable(message.get("path")), channel.name
        )
        if reason == CLIENT_SLOW:
            _sent(channel, formats.http_response_chunk(closed=True))
