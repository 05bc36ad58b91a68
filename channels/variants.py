"""Messages to a group of WebSockets that are not the same for every member.

One message carries the text for most members and, by the name of a connection or by the identity that a consumer
gave to one, the text for others; None is nothing. So it crosses the layer once, and each interface process
picks for its own connections. Made and read here; nothing here knows a layer or a connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from channels.exceptions import MalformedReply
from channels.types import Content

IDENTITY = "identity"
"""In a reply to one socket: who its client is; the interface remembers it for as long as the socket lives."""

TEXTS_BY_CHANNEL = "texts_by_channel"
TEXTS_BY_IDENTITY = "texts_by_identity"

Texts = Mapping[str, "str | None"]


@dataclass(frozen=True, slots=True)
class Variants:
    """The texts of one message, beside the one that most members get."""

    by_channel: Texts
    by_identity: Texts

    def pick(self, text: str | None, channel: str, identity: str | None) -> str | None:
        """Return what the connection ``channel`` of ``identity`` gets instead of ``text``; None is nothing."""
        if channel in self.by_channel:
            return self.by_channel[channel]
        return text if identity is None else self.by_identity.get(identity, text)


def make_variants(text: str, by_channel: Texts, by_identity: Texts) -> Content:
    """Return the content of a group message: ``text``, and who gets something else."""
    content: Content = {"text": text}
    if by_channel:
        content[TEXTS_BY_CHANNEL] = dict(by_channel)
    if by_identity:
        content[TEXTS_BY_IDENTITY] = dict(by_identity)
    return content


def read_variants(content: Content) -> Variants | None:
    """Return the variants in ``content``, or None if it is the same for everybody.

    Raises:
        MalformedReply: They are not dicts of texts.
    """
    if TEXTS_BY_CHANNEL not in content and TEXTS_BY_IDENTITY not in content:
        return None
    return Variants(_texts(content, TEXTS_BY_CHANNEL), _texts(content, TEXTS_BY_IDENTITY))


def _texts(content: Content, key: str) -> Texts:
    texts = content.get(key) or {}
    if not isinstance(texts, dict) or not all(text is None or isinstance(text, str) for text in texts.values()):
        raise MalformedReply(f"The {key!r} of a message to a group must be a dict of texts, not {texts!r:.100}.")
    return texts


def read_identity(content: Content) -> str | None:
    """Return the identity that ``content`` gives its connection, or None.

    Raises:
        MalformedReply: It is not a text.
    """
    identity = content.get(IDENTITY)
    if identity is not None and not isinstance(identity, str):
        raise MalformedReply(f"The {IDENTITY!r} of a reply must be a text, not {type(identity).__name__}.")
    return identity
