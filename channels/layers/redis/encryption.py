"""Encryption of messages, as 1.x did it: each key's SHA-256 is a Fernet key; names are not encrypted."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from channels.layers.redis.codec import ENCRYPTED, KEPT, Codec
from channels.types import Content

GRACE_SECONDS = 10
"""How much older than the layer's expiry an encrypted message may be: clocks of hosts differ."""


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
            raise ValueError(
                "Cannot run with encryption without 'cryptography' installed. "
                "Install it with: pip install channels-classic[crypto]"
            ) from error
        self._fernet: Any = MultiFernet([Fernet(_fernet_key(key)) for key in keys])
        self._invalid_token = InvalidToken
        self._max_age = int(expiry) + GRACE_SECONDS

    def encode(self, content: Content) -> bytes:
        encrypted: bytes = self._fernet.encrypt(super().encode(content))
        return encrypted

    def decode(self, flags: int, payload: memoryview) -> Content:
        if not flags & ENCRYPTED:
            raise ValueError("it is not encrypted, and this layer has symmetric_encryption_keys")
        try:
            max_age = None if flags & KEPT else self._max_age
            decrypted = self._fernet.decrypt(bytes(payload), ttl=max_age)
        except self._invalid_token as error:
            raise ValueError("none of the symmetric_encryption_keys fits it, or it is too old") from error
        return super().decode(0, memoryview(decrypted))


def _fernet_key(key: str | bytes) -> bytes:
    secret = key.encode("utf-8") if isinstance(key, str) else key
    return base64.urlsafe_b64encode(hashlib.sha256(secret).digest())
