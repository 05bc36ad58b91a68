"""Session stores whose key never changes: the session of a connection, and a visitor's session seen from one.

A store opened from a socket cannot hand a new key to anybody, so whatever Django does with keys (a login, a
changed secret, a failed check) the key stays and only the data changes. When stores are opened and saved is
decided in ``channels.sessions``.
"""

import functools
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.sessions.backends import signed_cookies
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.utils.crypto import salted_hmac

from channels import conf, counters

if TYPE_CHECKING:
    _Base = SessionBase
else:
    _Base = object

logger = logging.getLogger("django.channels")


class PinnedStore(_Base):
    """Mixin for a session store: read on first use, always under the key it was made with.

    Attributes:
        pinned_key: The key.
        is_stored: Whether the engine holds this session; None until it was read.
    """

    may_create = True
    """Whether saving may store a session that the engine does not hold."""

    older_keys: Sequence[str] = ()
    """Keys that the session may have been stored under before; where it was, it stays there."""

    def __init__(self, session_key: str) -> None:
        super().__init__(session_key)
        self.pinned_key = session_key
        self.is_stored: bool | None = None
        self._is_loading = False

    def load(self) -> dict[str, Any]:
        """Read the data. Engines forget the key of what they do not hold; it is put back."""
        newest = self.pinned_key
        for key in (newest, *self.older_keys):
            self._session_key = self.pinned_key = key
            data = self._load_pinned()
            if self.is_stored:
                return data
        self._session_key = self.pinned_key = newest
        return data

    def _load_pinned(self) -> dict[str, Any]:
        self._is_loading = True
        try:
            data = super().load()
        finally:
            self._is_loading = False
        self.is_stored = self._session_key is not None
        self._session_key = self.pinned_key
        return data

    def create(self) -> None:
        """Store this session under its own key.

        Raises:
            CreateError: The engine already holds it.
        """
        if self._is_loading:
            # The file engine begins a session anew that has expired; here it has ended.
            self._session_key = None
            return
        self.save(must_create=True)

    def save(self, must_create: bool = False) -> None:
        """Store the data; where another consumer stored this session first, its other keys are kept.

        Raises:
            CreateError: It is stored already, and ``must_create`` was asked for.
            UpdateError: It was stored when it was read, and is not any more.
        """
        data = dict(self.items())
        if self.is_stored and not must_create:
            super().save()
        elif must_create or self.may_create:
            try:
                super().save(must_create=True)
            except CreateError:
                if must_create:
                    raise
                self._session_cache = {**self.load(), **data}
                super().save()
        self.is_stored = self.is_stored or must_create or self.may_create

    def cycle_key(self) -> None:
        """Keep the key: the client could not be told another."""

    def flush(self) -> None:
        """Forget the data, here and in the engine; the key stays."""
        self.clear()
        self.delete_stored()

    def delete_stored(self) -> None:
        """Remove the session from the engine; what was read stays readable here."""
        if self.is_stored is not False:
            self.delete(self.pinned_key)
        if self.is_stored is None:
            for key in self.older_keys:
                self.delete(key)
        self.is_stored = False
        self.modified = False

    def forget_unchanged(self) -> None:
        """Read again at the next use, unless something was changed here."""
        if not self.modified and hasattr(self, "_session_cache"):
            del self._session_cache


class _ExistingOnly(PinnedStore):
    may_create = False


@functools.cache
def _pinned_class(engine: str, mixin: type[PinnedStore]) -> type[PinnedStore]:
    store: type[SessionBase] = import_module(engine).SessionStore
    if issubclass(store, signed_cookies.SessionStore):
        raise ValueError(
            "You cannot use channels session functionality with signed cookie sessions! A WebSocket cannot set "
            "cookies: set SESSION_ENGINE (for channel sessions alone: CHANNEL_SESSION_ENGINE) to the db, cache, "
            "cached_db or file engine."
        )
    return type("SessionStore", (mixin, store), {"__module__": store.__module__})


def session_key(connection: str, secret: str | bytes | None = None) -> str:
    """Return the key of the session that belongs to a connection: 32 characters, made with the ``SECRET_KEY``.

    Args:
        connection: The reply channel, or what else stands for a connection.
        secret: What to use instead.
    """
    # The name of the connection stands in logs and in the layer, and a login may be in its session: without the secret,
    # who reads one could use the key as a cookie.
    return "chn" + salted_hmac("channels.sessions", connection, secret, algorithm="sha256").hexdigest()[:29]


def connection_store(connection: str) -> PinnedStore:
    """Return the store of a connection in the engine of channel sessions.

    Args:
        connection: The reply channel, or what else stands for a connection.

    Raises:
        ValueError: The engine keeps sessions in signed cookies.
    """
    store_class = _pinned_class(conf.get("CHANNEL_SESSION_ENGINE") or settings.SESSION_ENGINE, PinnedStore)
    store = store_class(session_key(connection))
    # Sockets stay open while the SECRET_KEY is changed.
    store.older_keys = [session_key(connection, secret) for secret in settings.SECRET_KEY_FALLBACKS]
    return store


def session_for_reply_channel(reply_channel: str) -> PinnedStore:
    """Return the channel session of the connection that ``reply_channel`` leads to. It is read on first use.

    Raises:
        ValueError: The engine keeps sessions in signed cookies.
    """
    return connection_store(reply_channel)


def http_store(key: str) -> PinnedStore | None:
    """Return the visitor's session ``key``, or None if there is none of this key or it has expired.

    Raises:
        ValueError: The engine keeps sessions in signed cookies.
    """
    store_class = _pinned_class(settings.SESSION_ENGINE, _ExistingOnly)
    # Keys come from clients. Engines differ in what they do with a NUL or a line break; none makes such keys.
    if not (key.isascii() and key.isprintable()):
        return None
    store = store_class(key)
    if store.session_key is None:
        return None
    store.keys()
    return store if store.is_stored else None


def save_if_modified(session: Any) -> None:
    """Save ``session`` if it was changed; where it has ended meanwhile, the changes end with it."""
    if not session.modified:
        return
    try:
        session.save()
    except UpdateError:
        counters.add("session.dropped.ended")
        # Without its key: whoever reads that in a log could use it.
        logger.debug("A session has ended while a consumer used it; its changes are dropped.")
        return
    session.modified = False
