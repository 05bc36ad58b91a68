"""How messages look inside Redis: nothing is lost on the way, and what is foreign is told apart."""

import time
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.exceptions import MessageTooLarge
from channels.layers.encoding import MAX_MESSAGE_BYTES
from channels.layers.redis import codec
from channels.layers.redis.encryption import EncryptedCodec

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)
contents = st.dictionaries(st.text(), values, max_size=6)
local_parts = st.lists(st.from_regex(r"[a-zA-Z0-9\-_.]{0,20}", fullmatch=True), min_size=1, max_size=8)

STAMP = (1234567890123).to_bytes(8, "big")


@given(contents, local_parts)
def test_entry_gives_back_what_was_put_in(content: dict[str, Any], receivers: list[str]) -> None:
    """Content and receivers survive, with the type of every value."""
    coder = codec.Codec()
    raw = codec.make_head(codec.VIA_GROUP) + STAMP + codec.make_rest(receivers, coder.encode(content))
    entry = codec.read_entry(raw)
    assert (entry.flags, entry.expires_ms, list(entry.receivers)) == (codec.VIA_GROUP, 1234567890123, receivers)
    decoded = coder.decode(entry.flags, entry.payload)
    assert decoded == content
    assert repr(decoded) == repr(content)


@given(st.binary(max_size=60))
def test_foreign_entry_is_told_apart(raw: bytes) -> None:
    """Any bytes are read or refused with ValueError; nothing else is raised."""
    try:
        entry = codec.read_entry(raw)
        codec.Codec().decode(entry.flags, entry.payload)
    except ValueError:
        return
    assert raw[0] == codec.VERSION


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, "\ud800"])
def test_value_that_cannot_be_carried_is_refused(value: object) -> None:
    """The error says what was wrong with it."""
    with pytest.raises(TypeError, match="Message cannot be sent: "):
        codec.Codec().encode({"value": value})


def test_message_over_the_limit_is_refused() -> None:
    """The limit is said in the error."""
    with pytest.raises(MessageTooLarge, match=str(MAX_MESSAGE_BYTES)):
        codec.Codec().encode({"bytes": b"x" * MAX_MESSAGE_BYTES})


@given(contents)
def test_encrypted_content_gives_back_what_was_put_in(content: dict[str, Any]) -> None:
    """Encryption is invisible to those who have the key."""
    coder = EncryptedCodec(["secret"], expiry=60)
    assert coder.decode(codec.ENCRYPTED, memoryview(coder.encode(content))) == content


def test_encrypted_content_cannot_be_read_without_its_key() -> None:
    """Another key does not fit, and neither does none."""
    payload = EncryptedCodec(["secret"], expiry=60).encode({"text": "hello"})
    assert b"hello" not in payload
    with pytest.raises(ValueError, match="none of the symmetric_encryption_keys fits"):
        EncryptedCodec(["other"], expiry=60).decode(codec.ENCRYPTED, memoryview(payload))
    with pytest.raises(ValueError, match="it is encrypted"):
        codec.Codec().decode(codec.ENCRYPTED, memoryview(payload))


def test_content_without_encryption_is_refused_by_those_who_have_keys() -> None:
    """Otherwise anyone who reaches the server could make messages."""
    with pytest.raises(ValueError, match="not encrypted"):
        EncryptedCodec(["secret"], expiry=60).decode(0, memoryview(msgpack.packb({})))


def test_old_key_still_decrypts() -> None:
    """Keys are changed by putting the new one first."""
    payload = EncryptedCodec(["old"], expiry=60).encode({"n": 1})
    assert EncryptedCodec(["new", "old"], expiry=60).decode(codec.ENCRYPTED, memoryview(payload)) == {"n": 1}


def test_keys_must_be_a_list() -> None:
    """One string would be taken for a list of letters."""
    with pytest.raises(ValueError, match="must be a list"):
        EncryptedCodec("secret", expiry=60)


def test_message_that_is_kept_may_be_old() -> None:
    """Whoever sends an old message again is refused, but one that waits to be finished has no age."""
    coder = EncryptedCodec(["secret"], expiry=60)
    old = coder._fernet.encrypt_at_time(codec.Codec().encode({"n": 1}), int(time.time()) - 1000)
    with pytest.raises(ValueError, match="too old"):
        coder.decode(codec.ENCRYPTED, memoryview(old))
    assert coder.decode(codec.ENCRYPTED | codec.KEPT, memoryview(old)) == {"n": 1}
