"""Run one message: match it, call its consumer between the signals, and act on what the consumer raised.

Used by the worker and by the test client, so that tests see what production does.
"""

import inspect
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from channels import conf, counters, formats, probes, timings, tracing
from channels.exceptions import (
    ChannelFull,
    ChannelSocketException,
    ConsumeLater,
    DenyConnection,
    LayerUnavailable,
    MalformedReply,
    UnusableMessage,
)
from channels.message import Message
from channels.pending import pending_message_store
from channels.routing import Match
from channels.signals import consumer_error, consumer_finished, consumer_started
from channels.types import Consumer, Content
from channels.utils import name_that_thing

logger = logging.getLogger("django.channels")

DEFAULT_MESSAGE_RETRIES = 10
"""How often ``ConsumeLater`` may put one message back."""

REINSERT_TRIES = 10
REINSERT_INTERVAL = 0.05
"""Tries, and seconds between them, to put a message back on a channel that is full."""

_undecided: set[str] = set()
"""Consumers whose undecided handshake was already reported by this process."""


def dispatch(
    layer: Any,
    channel: str,
    content: Content,
    *,
    sender: type,
    callback: Callable[[str, Message], None] | None = None,
    message_retries: int = DEFAULT_MESSAGE_RETRIES,
    on_error: Callable[[Message, Consumer, BaseException], None] | None = None,
) -> None:
    """Run the consumer of one message. An error of the consumer ends this message only.

    Args:
        layer: Wrapper of the layer the message came from.
        channel: Name of the channel it came on.
        content: Its content.
        sender: Sender of the signals.
        callback: Called with (channel, message) before the consumer.
        message_retries: How often ``ConsumeLater`` may put the message back.
        on_error: Acts on what the consumer raised; None is ``act_on_error``.
    """
    logger.debug("Got message on %s (reply %s)", channel, content.get(formats.REPLY_CHANNEL, "none"))
    message = Message(content, channel, layer)
    message.__doomed__ = content.get(formats.RETRIES, 0) >= message_retries
    if probes.PROBE in content:
        if callback is not None:
            callback(channel, message)
        _answer_probe(layer, channel, content)
        return
    match = layer.router.match(message)
    if match is None:
        counters.add("message.dropped.no_route")
        logger.error("Could not find match for message on %s! Check your routing.", channel)
        return
    if callback is not None:
        callback(channel, message)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("Dispatching message on %s to %s", channel, name_that_thing(match[0]))
    if tracing.active is None:
        consume(message, match, sender=sender, on_error=on_error or act_on_error)
    else:
        with tracing.active.consuming(channel, content, name_that_thing(match[0])):
            consume(message, match, sender=sender, on_error=on_error or act_on_error)
            if message.is_put_off:
                tracing.active.noted("put off: not its turn")


def _answer_probe(layer: Any, channel: str, content: Content) -> None:
    answer = probes.answer_to(channel, content)
    if answer is None:
        return
    try:
        layer.send(*answer)
    except (ChannelFull, LayerUnavailable, TypeError) as error:
        counters.add("probe.dropped.disconnect")
        logger.debug("The answer to a probe on %s is dropped: %s", channel, error)


def consume(
    message: Message,
    match: Match,
    *,
    sender: type,
    on_error: Callable[[Message, Consumer, BaseException], None] | None = None,
) -> Any:
    """Call a consumer between ``consumer_started`` and ``consumer_finished`` and return what it returns.

    Args:
        message: The message.
        match: The consumer and its keyword arguments.
        sender: Sender of the signals.
        on_error: Acts on what the consumer raised, while its sends are still kept; None raises it, except for
            ``ChannelSocketException``, which always acts on the connection.
    """
    consumer, kwargs = match
    began = time.perf_counter()
    try:
        # In here, for a receiver may fail: what has begun is to end, and who waits for the message to be answered.
        consumer_started.send(sender=sender, environ={})
        result = consumer(message, **kwargs)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(
                f"{name_that_thing(consumer)} is asynchronous: nobody awaits it. Consumers are synchronous."
            )
        _settle_handshake(message, consumer, result)
        return result
    except ChannelSocketException as error:
        if on_error is None:
            error.run(message)
        else:
            _run_on_socket(message, consumer, error)
    except KeyboardInterrupt:
        raise  # Where a worker leaves signals to Python, this is how Ctrl-C ends it.
    except BaseException as error:  # SystemExit, and what libraries raise to cancel a task: they end this message only.
        if on_error is None:
            raise
        on_error(message, consumer, error)
    finally:
        timings.add(timings.CONSUMER, name_that_thing(consumer), time.perf_counter() - began)
        # Robust, because the flush is one of the receivers: another one that fails must not lose messages.
        consumer_finished.send_robust(sender=sender)
    return None


def _run_on_socket(message: Message, consumer: Consumer, error: ChannelSocketException) -> None:
    try:
        error.run(message)
    except Exception as failure:
        _report(message, consumer, failure)


def act_on_error(message: Message, consumer: Consumer, error: BaseException) -> None:
    """Do what ``error`` asks for, or log it and answer whoever waits for ``message``."""
    channel = message.channel.name if message.channel else ""
    if isinstance(error, ConsumeLater):
        _put_back(message, channel)
    elif isinstance(error, DenyConnection) and channel == "websocket.connect" and message.reply_channel:
        message.reply_channel.send(formats.websocket_deny(error.status, error.reason))
    else:
        if isinstance(error, DenyConnection):
            error = ValueError("You cannot DenyConnection from a non-websocket.connect handler.")
        _report(message, consumer, error)


def refuse(layer: Any, channel: str, content: Content, problem: str) -> None:
    """Drop a message that no consumer could take, and answer the request or handshake that it stands for."""
    counters.add("message.dropped.malformed")
    logger.error("A message on %s is dropped, because %s.", channel, problem)
    reply_channel = content.get(formats.REPLY_CHANNEL)
    if channel not in _ANSWERED or not isinstance(reply_channel, str):
        return
    try:
        layer.send(reply_channel, _ANSWERED[channel](400))
    except (ChannelFull, LayerUnavailable, TypeError) as error:
        counters.add("message.dropped.close")
        logger.debug("It could not be answered: %s", error)


def _report(message: Message, consumer: Consumer, error: BaseException) -> None:
    """Log an error of a consumer and answer who waits for it."""
    if isinstance(error, UnusableMessage):
        # The sender's fault, and the text says all there is to know.
        counters.add("message.dropped.malformed")
        logger.error("The consumer %s cannot take a message: %s", name_that_thing(consumer), error)
        _answer_failure(message, 500)
        return
    counters.add("consumer.failed.exception")
    consumer_error.send_robust(sender=None, message=message, consumer=consumer, error=error)
    if tracing.active is not None:
        tracing.active.failed(error)
    if isinstance(error, LayerUnavailable):  # Whoever runs the server is to be told, not whoever wrote the consumer.
        logger.error("Consumer %s failed: %s", name_that_thing(consumer), error)
    else:
        logger.error("Error processing message with consumer %s:", name_that_thing(consumer), exc_info=error)
    _answer_failure(message, 500)


def _answer_failure(message: Message, status: int) -> None:
    """Refuse the handshake, or answer the request, that a consumer left unanswered."""
    if message.reply_channel is None or message.channel is None:
        return
    name = message.channel.name
    if name == "websocket.connect":
        # Before what the consumer sent: after an accept it would be too late to refuse.
        _send_first(message, _ANSWERED[name](status))
    elif name == "http.request":
        begun = _replies(message)
        if not begun:
            message.reply_channel.send(_ANSWERED[name](status))
        elif begun[-1].get("more_content"):
            message.reply_channel.send(formats.http_response_chunk(closed=True))


def _send_first(message: Message, content: Content) -> None:
    """Let ``content`` leave for the connection of ``message`` before all that its consumer sent."""
    if tracing.active is not None:
        tracing.active.carry(content)
    pending_message_store.put_first(message.reply_channel, content)  # type: ignore[arg-type]


def _error_page(status: int) -> Content:
    headers = ((b"Content-Type", b"text/plain; charset=utf-8"),)
    return formats.http_response(status, headers, HTTPStatus(status).phrase.encode())


_ANSWERED: Mapping[str, Callable[[int], Content]] = {
    "http.request": _error_page,
    "websocket.connect": formats.websocket_deny,
}
"""Messages whose sender waits, and what it is told when nothing else can be."""


def _put_back(message: Message, channel: str) -> None:
    retries = message.content.get(formats.RETRIES, 0)
    if message.__doomed__:
        counters.add("message.dropped.retries_exceeded")
        logger.warning("Exceeded number of retries for message on channel %s: %r", channel, message)
        _answer_failure(message, 503)
        return
    if tracing.active is not None:
        tracing.active.noted("put back")
    content = {**message.content, formats.RETRIES: retries + 1}
    reason: Exception | None = None
    for tries in range(REINSERT_TRIES):
        if tries:
            time.sleep(REINSERT_INTERVAL)
        try:
            message.channel_layer.send(channel, content)
            return
        except (ChannelFull, LayerUnavailable) as error:
            reason = error
        except Exception as error:  # The consumer has changed the message, and no layer carries it any more.
            reason = error
            break
    counters.add("message.dropped.reinsert_failed")
    logger.error("Could not put a message back on %s for a later try; it is dropped: %s", channel, reason)
    _answer_failure(message, 503)


def _replies(message: Message) -> list[Content]:
    """Return what the running consumer has sent to the connection of ``message`` so far."""
    return [] if message.reply_channel is None else pending_message_store.sent_to(message.reply_channel.name)


def _decides(content: Content) -> bool:
    try:
        return formats.read_websocket_reply(content).decides
    except MalformedReply:
        return False


def _settle_handshake(message: Message, consumer: Consumer, result: Any) -> None:
    """Accept the socket whose connect consumer ended without deciding, unless the project turned that off."""
    if message.channel is None or message.channel.name != "websocket.connect" or message.reply_channel is None:
        return
    if message.is_put_off:
        return
    if any(_decides(content) for content in _replies(message)):
        return
    name = name_that_thing(consumer)
    accepts = conf.get("CHANNELS_AUTO_ACCEPT")
    if name not in _undecided:
        _undecided.add(name)
        logger.warning(
            "The connect consumer %s neither accepted nor closed its WebSocket%s; %s",
            name,
            ", and what a consumer returns is ignored" if isinstance(result, dict) else "",
            "it is accepted. Send {'accept': True} to message.reply_channel to say so yourself."
            if accepts
            else "it waits for a later message to decide (CHANNELS_AUTO_ACCEPT is off).",
        )
    if accepts:
        _send_first(message, formats.websocket_accept())
