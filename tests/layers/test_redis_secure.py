"""Servers that ask for more than an address: TLS, users with passwords, sockets in the file system."""

import asyncio
import datetime
import ipaddress
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.exceptions import LayerUnavailable
from channels.layers.redis import RedisChannelLayer
from channels.test.conformance import ConformanceTestCase
from tests.support.missing import skip_or_fail
from tests.support.processes import ROOT, free_port
from tests.support.redis import RedisServer, find_newest


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate for the loopback address, signed by itself, and return the files of it and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = directory / "server.crt", directory / "server.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


class SecureServer:
    """A Redis that also speaks TLS.

    Args:
        directory: For its certificate.
    """

    def __init__(self, directory: Path) -> None:
        self.certificate, key = make_certificate(directory)
        self.port = free_port()
        self.server = RedisServer(
            find_newest(),
            *("--tls-port", str(self.port), "--tls-cert-file", str(self.certificate), "--tls-key-file", str(key)),
            *("--tls-ca-cert-file", str(self.certificate), "--tls-auth-clients", "no"),
        )

    @property
    def url(self) -> str:
        """URL that trusts the certificate."""
        return f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self.certificate}"


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    """A server that speaks TLS."""
    secure = SecureServer(tmp_path_factory.mktemp("tls"))
    try:
        secure.server.start()
        yield secure
    except RuntimeError as error:
        if "tls-port" not in str(error):
            raise
        skip_or_fail("Install a Redis that was built with TLS so that redis-server is on PATH.")
    finally:
        secure.server.close()


class TestTLSContract(ConformanceTestCase, unittest.TestCase):
    """The contract over TLS."""

    expiry = 0.5

    @pytest.fixture(autouse=True)
    def _server(self, secure_server: SecureServer) -> None:
        secure_server.server.flush()
        self.hosts = [secure_server.url]

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return RedisChannelLayer(hosts=self.hosts, **config)


class TestEncryptedContract(ConformanceTestCase, unittest.TestCase):
    """The contract with encrypted messages."""

    expiry = 0.5

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return RedisChannelLayer(hosts=self.hosts, symmetric_encryption_keys=["new", "old"], **config)


def test_certificate_that_nobody_vouches_for_is_refused(secure_server: SecureServer) -> None:
    """TLS without a trusted certificate is no TLS; the error says so, in threads and in event loops."""
    layer = RedisChannelLayer(hosts=[f"rediss://127.0.0.1:{secure_server.port}/0"])
    with pytest.raises(LayerUnavailable, match="certificate verify failed"):
        layer.send("test.in", {})
    with pytest.raises(LayerUnavailable, match="certificate verify failed"):
        asyncio.run(layer.asend("test.in", {}))


def test_tls_options_may_be_keywords(secure_server: SecureServer) -> None:
    """``connection_kwargs`` reach the connections of both kinds."""
    layer = RedisChannelLayer(
        hosts=[f"rediss://127.0.0.1:{secure_server.port}/0"],
        connection_kwargs={"ssl_ca_certs": str(secure_server.certificate), "socket_keepalive": True},
    )
    layer.send("test.in", {"n": 1})

    async def main() -> Any:
        try:
            return await layer.areceive(["test.in"])
        finally:
            await layer.aclose()

    assert asyncio.run(main()) == ("test.in", {"n": 1})
    layer.close()


def documented_rights() -> list[str]:
    """Return what the reference says that a user needs, with another password."""
    found = re.search(r"ACL SETUSER (site on .*)", (ROOT / "docs" / "reference" / "redis.rst").read_text())
    assert found is not None
    return found[1].replace(">password", ">pw").split()


def test_user_with_the_documented_rights_can_do_everything(own_redis: RedisServer) -> None:
    """The layer needs its keys, and the commands that the reference lists."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", *documented_rights())
    layer = RedisChannelLayer(
        hosts=[f"redis://site:pw@127.0.0.1:{own_redis.port}/0"], delivery={"kept": "at-least-once"}
    )
    layer.group_add("group", "test.p!one")
    layer.send_group("group", {"n": 1})
    assert layer.receive(["test.p!"], block=True) == ("test.p!one", {"n": 1})
    layer.send("kept", {})
    assert layer.receive(["kept"], block=True)[0] == "kept"
    assert layer.global_statistics()["messages_count"] == 2

    async def main() -> Any:
        try:
            return await asyncio.wait_for(layer.areceive(["test.p!"]), 0.2)
        finally:
            await layer.aclose()

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(main())
    layer.flush()
    layer.close()


def test_wrong_password_is_reported_without_the_password(own_redis: RedisServer) -> None:
    """The error names the server and the reason, not the secret."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "site", "on", ">pw", "~*", "+@all")
    layer = RedisChannelLayer(hosts=[f"redis://site:wrongsecret@127.0.0.1:{own_redis.port}/0"])
    with pytest.raises(LayerUnavailable, match=r"site:\*\*\*@127.0.0.1.*WRONGPASS|invalid username-password") as caught:
        layer.send("test.in", {})
    assert "wrongsecret" not in str(caught.value)
