"""HTTP/2 over TLS as it goes over the wire, and the certificate for it."""

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.http import Exchange

SECONDS = 60


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for the loopback address; return their files, certificate first."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "certificate.pem", directory / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return files


class Http2:
    """One connection with any number of requests.

    Args:
        port: Of the server.
        certificate: To trust.
    """

    def __init__(self, port: int, certificate: Path) -> None:
        context = ssl.create_default_context(cafile=str(certificate))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self._socket.selected_alpn_protocol() == "h2"
        # What browsers send, this client sends: cookies may be split, so nothing is put in order for it.
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", normalize_outbound_headers=False
        )
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self._flush()
        self._replies: dict[int, tuple[int, list[tuple[str, str]], bytearray]] = {}
        self._ended: set[int] = set()
        self._reset: set[int] = set()

    def __enter__(self) -> "Http2":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()

    def begin(
        self,
        path: str,
        method: str = "GET",
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> int:
        """Send a request and return the number of its stream; the body may be as large as the first window."""
        stream: int = self._connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        given = [(name.decode(), value.decode("latin-1")) for name, value in headers]
        self._connection.send_headers(stream, [*pseudo, *given], end_stream=not body)
        for start in range(0, len(body), 16384):
            end = start + 16384
            self._connection.send_data(stream, body[start:end], end_stream=end >= len(body))
        self._flush()
        return stream

    def response(self, stream: int) -> Exchange:
        """Return the response on ``stream``.

        Raises:
            ConnectionResetError: The server broke it off.
        """
        while stream not in self._ended:
            self._read()
            if stream in self._reset:
                raise ConnectionResetError(f"Stream {stream} was reset.")
        status, headers, body = self._replies[stream]
        return Exchange(status, tuple(headers), bytes(body))

    def ask(self, path: str, *arguments: object, **options: object) -> Exchange:
        """Send a request, see ``begin``, and return its response."""
        return self.response(self.begin(path, *arguments, **options))  # type: ignore[arg-type]

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())

    def _read(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("The server closed the connection.")
        for event in self._connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                pairs = [(str(name), str(value)) for name, value in event.headers]
                headers = [pair for pair in pairs if not pair[0].startswith(":")]
                self._replies[event.stream_id] = (int(dict(pairs)[":status"]), headers, bytearray())
            elif isinstance(event, h2.events.DataReceived):
                self._replies[event.stream_id][2].extend(event.data)
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self._ended.add(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self._reset.add(event.stream_id)
        self._flush()
