"""The groups of typed connections: which ones a connection is in, names that are always safe, and whose message it is.

Which groups a connection joined is itself kept on the layer, in a group of names: its ledger. So consumers of one
connection that run at the same time cannot lose each other's entries. Its messages renew the entries; those of a
connection that only listens end, and then the copy in its channel session counts.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from channels import names
from channels.types import Content
from channels.variants import make_variants

KEY = "channels.typed.groups"
"""Where the copy of the ledger is in the channel session."""

RENEWED = "channels.typed.renewed"
"""Where the channel session says when the ledger was last renewed."""

_BEGIN = "typed.groups?begin"
"""The first entry of each ledger; no group has such a name."""

_UNSAFE = re.compile(r"[^a-zA-Z0-9_.-]+")
_DIGEST_LENGTH = 12


def safe_group_name(*parts: object, namespace: str | None = None) -> str:
    """Return a group name for ``parts``, whatever they are: a readable beginning and a digest of all of them.

    Args:
        parts: What tells this group from others.
        namespace: A common beginning; its characters must be safe.

    Raises:
        TypeError: There are no parts, or the namespace cannot begin a name.
    """
    if not parts:
        raise TypeError("safe_group_name needs at least one part.")
    texts = [str(part) for part in parts]
    parted = [text.encode("utf-8", "surrogatepass") for text in texts]
    digest = hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parted)).hexdigest()
    prefix = f"{names.require_group_name(namespace)}." if namespace else ""
    room = names.MAX_LENGTH - len(prefix) - _DIGEST_LENGTH - 1
    if room < 1:
        raise TypeError(f"The namespace {namespace!r} leaves no room for a name of at most {names.MAX_LENGTH}.")
    slug = _UNSAFE.sub("-", "-".join(texts))[:room].strip("-.") or "group"
    return names.require_group_name(f"{prefix}{slug}.{digest[:_DIGEST_LENGTH]}"[: names.MAX_LENGTH])


def ledger_of(channel: str) -> str:
    """Return the group whose members name the groups of the connection with the reply channel ``channel``."""
    return f"typed.groups.{hashlib.sha256(channel.encode()).hexdigest()[:32]}"


class Memberships:
    """The groups of one connection.

    Args:
        layer: The layer.
        channel: The connection's reply channel.
        session: Its channel session.
    """

    def __init__(self, layer: Any, channel: str, session: Any) -> None:
        self._layer = layer
        self._channel = channel
        self._session = session
        self._ledger = ledger_of(channel)

    def join(self, group: str) -> None:
        """Make the connection a member of ``group``.

        Raises:
            TypeError: It is not a group name.
        """
        names.require_group_name(group)
        copied = self._session.get(KEY, [])
        if not copied:
            self._layer.group_add(self._ledger, _BEGIN)
        if group not in copied:
            self._session[KEY] = [*copied, group]
        # Entered first: a worker that is killed in between must not leave a membership that nobody ends.
        self._layer.group_add(self._ledger, group)
        self._layer.group_add(group, self._channel)

    def renew(self) -> None:
        """Make the entries last as long again; the interface renews the memberships themselves."""
        for name in [_BEGIN, *self.all()]:
            self._layer.group_add(self._ledger, name)

    def leave(self, group: str) -> None:
        """End the connection's membership of ``group``, if there is one."""
        self._layer.group_discard(group, self._channel)
        self._layer.group_discard(self._ledger, group)
        copied = self._session.get(KEY, [])
        if group in copied:
            self._session[KEY] = [name for name in copied if name != group]

    def all(self) -> list[str]:
        """Return the groups the connection is in."""
        entries = set(self._layer.group_channels(self._ledger))
        # The oldest entry: as long as it is there, none has ended by itself.
        return sorted(entries - {_BEGIN} if _BEGIN in entries else self._session.get(KEY, []))

    def leave_all(self) -> None:
        """End all memberships."""
        for group in self.all():
            self.leave(group)
        self._layer.group_discard(self._ledger, _BEGIN)


def address(text: str, mine: str, current: str | None, *, channel: str, identity: str | None) -> Content:
    """Return the content that gives each member its own text.

    Args:
        text: For the connections of others.
        mine: For other connections of the sender's user.
        current: For the sending connection; None is nothing.
        channel: The sending connection.
        identity: Its user; None if it is anonymous.
    """
    return make_variants(text, {channel: current}, {} if identity is None else {identity: mine})


class Groups:
    """The attribute ``groups``: on a class the names it declares, on a consumer those its connection is in."""

    def __get__(self, consumer: Any, owner: Any) -> Sequence[str]:
        if consumer is None:
            declared: Sequence[str] = owner.declared_groups
            return declared
        joined: list[str] = consumer.memberships.all()
        return joined
