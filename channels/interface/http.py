"""The life of one HTTP request, sans-io: what arrives, what that leads to, and nothing about how or when.

States and inputs are enums and the transitions are a table; an input that the table does not hold is
logged and counted and changes nothing. The driver gives inputs and carries out effects (``connections``).

Source: the message-passing ASGI draft, "HTTP" (docs/reference/messages), and the ``http`` scope of ASGI 3.
"""

import logging
from collections.abc import Callable
from typing import Any

from channels import counters, formats, names
from channels.exceptions import MalformedReply, MessageTooLarge
from channels.formats import HttpReply
from channels.interface.effects import Effect, Effects, ToClient, ToLayer
from channels.interface.lengths import announced_bytes, cut, response_headers
from channels.interface.limits import Limits, seconds_or_none
from channels.interface.pages import error_page, require_readable_path
from channels.interface.reading import RequestReply, read_http
from channels.interface.states import RequestInput as Input
from channels.interface.states import RequestState as State
from channels.types import Content, Event, Scope
from channels.utils import printable

logger = logging.getLogger("django.channels.interface")

REQUEST = "http.request"
DISCONNECT = "http.disconnect"
BODY_PATTERN = "http.request.body?"
"""What the channel that carries the rest of a long body begins with."""


class HttpBridge:
    """One HTTP request between a server and a layer.

    Args:
        scope: ASGI-3 scope of type ``http``.
        reply_channel: Where consumers send the response.
        limits: Durations, sizes and root path.
        new_channel: Makes a single-reader channel name from a pattern (a layer's ``new_channel``).
    """

    def __init__(self, scope: Scope, reply_channel: str, limits: Limits, new_channel: Callable[[str], str]) -> None:
        self.state = State.READING
        self.reply_channel = reply_channel
        self.status: int | None = None
        self.is_paced = False
        self._scope = scope if scope.get("root_path") else {**scope, "root_path": limits.root_path}
        self._limits = limits
        self._new_channel = new_channel
        self._received = 0
        self._is_complete = False
        self._buffer = bytearray()
        self._body_channel: str | None = None
        self._parts_made = self._next_reply = 0
        self._owes_disconnect = False

    @property
    def deadline(self) -> float | None:
        """Seconds from the latest event of the client until ``expired`` is due; None: never."""
        if self.state in (State.READING, State.WAITING):
            return seconds_or_none(self._limits.http_timeout)
        return None

    @property
    def finished(self) -> bool:
        """Whether no further effects will come, so that the driver may forget this bridge."""
        return self.state is State.DONE

    @property
    def wants_body(self) -> bool:
        """Whether more of the body is to be read."""
        return not self._is_complete and self.state is not State.DONE

    # Inputs

    def opened(self) -> Effects:
        """The client began a request."""
        try:
            require_readable_path(self._scope)
        except ValueError as error:
            self.state = State.DONE
            return self._page(400, str(error), "path")
        if self._limits.max_body_bytes is not None and announced_bytes(self._scope) > self._limits.max_body_bytes:
            return self._step(Input.TOO_LARGE)
        return ()

    def client(self, event: Event) -> Effects:
        """The server reports ``event``: a piece of the body, or the end of the connection."""
        if event["type"] != "http.request":
            return self._step(Input.GONE)
        if self._is_complete:
            counters.add("http.dropped.unexpected")
            return ()
        piece = event.get("body", b"")
        self._received += len(piece)
        if self._limits.max_body_bytes is not None and self._received > self._limits.max_body_bytes:
            return self._step(Input.TOO_LARGE)
        self._buffer += piece
        self._is_complete = not event.get("more_body", False)
        if self._is_complete:
            return self._step(Input.END)
        return self._step(Input.PART) if len(self._buffer) > self._limits.body_part_bytes else ()

    def reply(self, content: Content | RequestReply, via_group: bool = False) -> Effects:
        """A consumer sent ``content`` to this request; by way of a group makes no difference."""
        if isinstance(content, dict):
            try:
                content = read_http(content, self.reply_channel)
            except MalformedReply as error:
                return self.malformed(error)
        content = content.after(self._next_reply)
        if content.reply.order is not None:
            self._next_reply = content.reply.order + 1
        return self._step(content.stream, content.reply)

    def malformed(self, error: MalformedReply) -> Effects:
        """A message that is no reply arrived."""
        return self._step(Input.MALFORMED, error)

    def sent(self, effect: ToLayer) -> Effects:
        """The layer took the message of ``effect``."""
        if effect.channel == self._body_channel and not effect.content["more_content"]:
            self._body_channel = None
        return ()

    def refused(self, effect: ToLayer, error: Exception | None = None) -> Effects:
        """The layer did not take the message of ``effect``, and it will not be tried again."""
        if effect.channel != REQUEST:
            return self._step(Input.PART_REFUSED, error)
        self._owes_disconnect = False
        return self._step(Input.REFUSED, error)

    def expired(self) -> Effects:
        """The ``deadline`` has passed."""
        return self._step(Input.EXPIRED)

    # Transitions

    def _step(self, what: Input, value: Any = None) -> Effects:
        row = _TABLE.get((self.state, what))
        if row is None:
            if what not in _ROUTINE:
                counters.add("http.dropped.done" if self.state is State.DONE else "http.dropped.unexpected")
            logger.debug("%s is %s: nothing to do when %s.", self.reply_channel, self.state.value, what.value)
            return ()
        action, self.state = row
        return action(self, value)

    def _begin(self, _: None) -> Effects:
        if len(self._buffer) > self._limits.body_part_bytes:
            self._body_channel = self._new_channel(BODY_PATTERN)
        self._owes_disconnect = True
        more: Content = {"body_channel": self._body_channel, "response_window": self._limits.response_window}
        first = cut(self._buffer, self._limits.body_part_bytes)
        return [
            ToLayer(REQUEST, formats.http_request(self._scope, reply_channel=self.reply_channel, body=first, **more))
        ]

    def _begin_part(self, _: None) -> Effects:
        return [*self._begin(None), *self._parts(None)]

    def _begin_end(self, _: None) -> Effects:
        effects = self._begin(None)
        return effects if self._body_channel is None else [*effects, *self._rest(None)]

    def _parts(self, _: None) -> Effects:
        effects: list[Effect] = []
        while len(self._buffer) > self._limits.body_part_bytes:
            effects.append(self._part(more_content=True))
        return effects

    def _rest(self, _: None) -> Effects:
        return [*self._parts(None), self._part(more_content=False)]

    def _part(self, more_content: bool) -> ToLayer:
        assert self._body_channel is not None
        self._parts_made += 1
        piece = cut(self._buffer, self._limits.body_part_bytes)
        content = formats.http_request_body(piece, more_content=more_content, order=self._parts_made)
        return ToLayer(self._body_channel, content)

    def _start(self, reply: HttpReply) -> Effects:
        self.status = reply.status
        self.is_paced = reply.paced
        headers = response_headers(self._scope, reply)
        start = ToClient({"type": "http.response.start", "status": reply.status, "headers": headers})
        return [start, *self._chunk(reply)]

    def _chunk(self, reply: HttpReply) -> Effects:
        return [ToClient({"type": "http.response.body", "body": reply.content, "more_body": reply.more_content})]

    def _whole(self, reply: HttpReply) -> Effects:
        return [*self._start(reply), *self._leave(None)]

    def _last(self, reply: HttpReply) -> Effects:
        return [*self._chunk(reply), *self._leave(None)]

    def _leave(self, _: Any) -> Effects:
        if not self._owes_disconnect:
            return ()
        self._owes_disconnect = False
        effects = [ToLayer(DISCONNECT, formats.http_disconnect(self.reply_channel, self._scope["path"]))]
        if self._body_channel is not None:
            effects.insert(0, ToLayer(self._body_channel, formats.http_request_body(closed=True)))
            self._body_channel = None
        return effects

    def _give_up(self, _: None) -> Effects:
        # Who makes the response may be waiting for reports, and would learn it in no other way.
        unwanted = ToLayer(names.flow_channel(self.reply_channel), formats.http_response_report(closed=True))
        return [*self._leave(None), unwanted] if self.is_paced else self._leave(None)

    # Refusals

    def _page(self, status: int, text: str, reason: str) -> Effects:
        self.status = status
        counters.add(f"http.refused.{reason}")
        return [*error_page(status, text), *self._leave(None)]

    def _too_large(self, _: None) -> Effects:
        return self._page(413, f"The body may have {self._limits.max_body_bytes} bytes at most.", "size")

    def _slow_client(self, _: None) -> Effects:
        return self._page(408, "The body of the request did not arrive in time.", "slow")

    def _busy(self, error: Exception | None) -> Effects:
        if isinstance(error, MessageTooLarge):
            return self._page(413, "The request is too large.", "size")
        return self._page(503, "The site has more requests than it can answer now.", "layer")

    def _late(self, _: None) -> Effects:
        scope, seconds = self._scope, self._limits.http_timeout
        text = "%s %s got no response on %s within %s seconds on %s (503). Is a worker running that serves the channel?"
        logger.warning(text, printable(scope["method"]), printable(scope["path"]), self.reply_channel, seconds, REQUEST)
        return self._page(503, "The site did not answer in time.", "timeout")

    def _no_response(self, error: MalformedReply) -> Effects:
        # Nothing better is likely to come; an answer at once beats one after the timeout.
        return self._page(500, "The response could not be read.", "malformed")

    def _no_status(self, reply: HttpReply) -> Effects:
        self._blame("the first message of a response needs a 'status'")
        return self._no_response(MalformedReply())

    def _second_status(self, reply: HttpReply) -> Effects:
        self._blame("only the first message of a response has a 'status'")
        return self._abort(None)

    def _blame(self, mistake: str) -> None:
        counters.add("http.dropped.malformed")
        logger.warning("A message on %s was dropped: %s.", self.reply_channel, mistake)

    def _abort(self, _: Any) -> Effects:
        # Without its last event the server cuts the connection, so that the client can tell: a response
        # with a hole in it would look complete.
        counters.add("http.aborted.malformed")
        return self._give_up(None)

    def _broken_off(self, reply: HttpReply) -> Effects:
        counters.add("http.aborted.incomplete")
        return self._leave(None) if reply.closed else self._give_up(None)


_TABLE: dict[tuple[State, Input], tuple[Callable[[HttpBridge, Any], Effects], State]] = {
    (State.READING, Input.PART): (HttpBridge._begin_part, State.WAITING),
    (State.READING, Input.END): (HttpBridge._begin_end, State.WAITING),
    (State.READING, Input.TOO_LARGE): (HttpBridge._too_large, State.DONE),
    (State.READING, Input.GONE): (HttpBridge._leave, State.DONE),
    (State.READING, Input.EXPIRED): (HttpBridge._slow_client, State.DONE),
    (State.WAITING, Input.PART): (HttpBridge._parts, State.WAITING),
    (State.WAITING, Input.END): (HttpBridge._rest, State.WAITING),
    (State.WAITING, Input.TOO_LARGE): (HttpBridge._too_large, State.DONE),
    (State.WAITING, Input.GONE): (HttpBridge._leave, State.DONE),
    (State.WAITING, Input.REFUSED): (HttpBridge._busy, State.DONE),
    (State.WAITING, Input.PART_REFUSED): (HttpBridge._busy, State.DONE),
    (State.WAITING, Input.EXPIRED): (HttpBridge._late, State.DONE),
    (State.WAITING, Input.START): (HttpBridge._start, State.ANSWERING),
    (State.WAITING, Input.WHOLE): (HttpBridge._whole, State.DONE),
    (State.WAITING, Input.CHUNK): (HttpBridge._no_status, State.DONE),
    (State.WAITING, Input.LAST): (HttpBridge._no_status, State.DONE),
    (State.WAITING, Input.MALFORMED): (HttpBridge._no_response, State.DONE),
    (State.WAITING, Input.BROKEN): (HttpBridge._no_response, State.DONE),
    (State.ANSWERING, Input.PART): (HttpBridge._parts, State.ANSWERING),
    (State.ANSWERING, Input.END): (HttpBridge._rest, State.ANSWERING),
    (State.ANSWERING, Input.TOO_LARGE): (HttpBridge._abort, State.DONE),
    (State.ANSWERING, Input.GONE): (HttpBridge._give_up, State.DONE),
    (State.ANSWERING, Input.PART_REFUSED): (HttpBridge._abort, State.DONE),
    (State.ANSWERING, Input.CHUNK): (HttpBridge._chunk, State.ANSWERING),
    (State.ANSWERING, Input.LAST): (HttpBridge._last, State.DONE),
    (State.ANSWERING, Input.START): (HttpBridge._second_status, State.DONE),
    (State.ANSWERING, Input.WHOLE): (HttpBridge._second_status, State.DONE),
    (State.ANSWERING, Input.MALFORMED): (HttpBridge._abort, State.DONE),
    (State.ANSWERING, Input.BROKEN): (HttpBridge._broken_off, State.DONE),
}
"""State and input to action and next state. What is not here is unexpected."""

_ROUTINE = frozenset({Input.GONE, Input.PART, Input.END, Input.TOO_LARGE, Input.PART_REFUSED, Input.EXPIRED})
"""What may come after the end without anything being lost."""
