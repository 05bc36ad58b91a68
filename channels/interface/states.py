"""The states of a WebSocket and of an HTTP request, and all that can happen to each."""

import enum


class _Fast(enum.Enum):
    """An enum that is hashed by identity: the tables of the bridges are looked up for every frame."""

    __hash__ = object.__hash__


class SocketState(_Fast):
    """Where a socket is in its life."""

    CONNECTING = "waiting for its handshake to be decided"
    OPEN = "open"
    CLOSED = "closed"


class SocketInput(_Fast):
    """What can happen to a socket."""

    OPENED = "the client asks for a socket"
    FRAME = "the client sent a frame"
    GONE = "the client went away"
    ACCEPT = "a reply that accepts"
    REFUSE = "a reply that refuses"
    UNDECIDED = "a reply that decides nothing"
    GROUP = "a message to a group it is a member of"
    DATA = "a reply that may hold a frame"
    CLOSE = "a reply that closes"
    REFUSED = "the layer did not take a message"
    EXPIRED = "its time is up"
    OVERSIZED = "the client sent a frame that is larger than allowed"
    OVERRUN = "the client sends more frames than allowed"
    DISMISSED = "the site wants its clients to come back"


class RequestState(_Fast):
    """Where a request is in its life."""

    READING = "reading the first part of its body"
    WAITING = "waiting for its response"
    ANSWERING = "being answered"
    DONE = "done"


class RequestInput(_Fast):
    """What can happen to a request."""

    PART = "more of its body than one message holds arrived"
    END = "its body is complete"
    TOO_LARGE = "its body is larger than allowed"
    GONE = "the client went away"
    START = "the first message of a response"
    WHOLE = "a complete response"
    CHUNK = "a further message of a response"
    LAST = "the last message of a response"
    PUSH = "something to push to the client, which no server does"
    BROKEN = "the end of a response that cannot be completed"
    MALFORMED = "a message that is no response"
    REFUSED = "the layer did not take it"
    PART_REFUSED = "the layer did not take a part of its body"
    EXPIRED = "its time is up"
