"""Encryption of messages, as 1.x did it: each key's SHA-256 is a Fernet key. And, with a key of its own, of names."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from channels.layers.redis.codec import ENCRYPTED, KEPT, Codec, Unreadable
from channels.types import Content

GRACE_SECONDS = 10
"""How much older than the layer's expiry an encrypted message may be: clocks of hosts differ."""


MISSING = (
    "Cannot run with encryption without 'cryptography' installed. Install it with: pip install channels-classic[crypto]"
)


class EncryptedCodec(Codec):
    """A codec whose messages only holders of a key can read, or make.

    Args:
        keys: Secrets; the first encrypts, all decrypt, so that keys can be changed without a gap.
        expiry: Seconds that messages live.

    Raises:
        ValueError: ``keys`` is not a list, or the package ``cryptography`` is missing.
    """

    flags = ENCRYPTED

    def __init__(self, keys: Sequence[str | bytes], expiry: float) -> None:
        if isinstance(keys, str | bytes):
            raise ValueError("symmetric_encryption_keys must be a list of possible keys")
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet
        except ImportError as error:
            raise ValueError(MISSING) from error
        self._fernet: Any = MultiFernet([Fernet(_fernet_key(key)) for key in keys])
        self._invalid_token = InvalidToken
        self._max_age = int(expiry) + GRACE_SECONDS

    def encode(self, content: Content) -> bytes:
        encrypted: bytes = self._fernet.encrypt(super().encode(content))
        return encrypted

    def decode(self, flags: int, payload: memoryview) -> Content:
        if not flags & ENCRYPTED:
            raise Unreadable("plain", "it is not encrypted, and this layer has symmetric_encryption_keys")
        try:
            max_age = None if flags & KEPT else self._max_age
            decrypted = self._fernet.decrypt(bytes(payload), ttl=max_age)
        except self._invalid_token as error:
            raise Unreadable(
                "undecryptable", "none of the symmetric_encryption_keys fits it, or it is too old"
            ) from error
        return super().decode(0, memoryview(decrypted))


class Veil:
    """Hides names: each is always turned into the same text, and back by those who have the secret (AES-SIV).

    Args:
        secret: Of any length.

    Raises:
        ValueError: ``secret`` is not text or bytes, or the package ``cryptography`` is missing.
    """

    def __init__(self, secret: str | bytes) -> None:
        if not isinstance(secret, str | bytes) or not secret:
            raise ValueError(f"name_key must be a secret, as text or bytes, not {type(secret).__name__}.")
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        except ImportError as error:
            raise ValueError(MISSING) from error
        self._invalid_tag = InvalidTag
        self._cipher: Any = AESSIV(hashlib.sha512(b"names:" + _as_bytes(secret)).digest())

    def hide(self, name: str) -> str:
        """Return what stands for ``name``."""
        hidden: bytes = self._cipher.encrypt(name.encode("ascii"), None)
        return base64.urlsafe_b64encode(hidden).rstrip(b"=").decode("ascii")

    def show(self, hidden: str) -> str:
        """Return the name that ``hidden`` stands for.

        Raises:
            Unreadable: It was hidden by another secret, or not at all.
        """
        try:
            name: bytes = self._cipher.decrypt(base64.urlsafe_b64decode(hidden + "=" * (-len(hidden) % 4)), None)
        except (self._invalid_tag, ValueError) as error:
            raise Unreadable("name", "name_key does not fit its name") from error
        return name.decode("ascii")


def _as_bytes(secret: str | bytes) -> bytes:
    return secret.encode("utf-8") if isinstance(secret, str) else secret


def _fernet_key(key: str | bytes) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(_as_bytes(key)).digest())
