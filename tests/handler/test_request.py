"""AsgiRequest: what Django's request says about a message."""

from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest
from django.test import override_settings

from channels.exceptions import ResponseLater
from channels.handler import AsgiRequest
from channels.request import make_scope
from tests.support.http import REPLY_CHANNEL, message


def request(*args: Any, **kwargs: Any) -> AsgiRequest:
    """Return the request made from a message."""
    return AsgiRequest(message(*args, **kwargs))


def from_content(**content: Any) -> AsgiRequest:
    """Return the request made from raw message content, as tests of 1.x and other interfaces write it."""
    return AsgiRequest({"path": "/", "method": "GET", **content})


def test_request_is_djangos_own():
    """Everything that accepts Django's request accepts this one."""
    assert isinstance(request(), ASGIRequest)


def test_request_keeps_the_message_and_its_reply_channel():
    """Views find the message and the channel of the client on the request."""
    made = message("/a/")
    assert AsgiRequest(made).message is made
    assert AsgiRequest(made).reply_channel.name == REPLY_CHANNEL


def test_request_of_a_dict_has_no_reply_channel():
    """A plain dict is enough to parse."""
    assert from_content().reply_channel is None


def test_request_names_the_exception_that_defers_a_response():
    """The 1.x name leads to the exception."""
    assert AsgiRequest.ResponseLater is ResponseLater


def test_request_waits_a_minute_for_a_body_by_default():
    """The documented default, in seconds."""
    assert AsgiRequest.body_receive_timeout == 60


def test_paths_lose_the_script_name():
    """path is the whole path, path_info what the site resolves."""
    made = request("/mount/page/", root_path="/mount")
    assert (made.path, made.script_name, made.path_info) == ("/mount/page/", "/mount", "/page/")


def test_paths_without_root_path_are_whole():
    """No root path: nothing is taken away."""
    made = from_content(path="/page/", root_path=None)
    assert (made.script_name, made.path_info) == ("", "/page/")


def test_path_may_be_bytes():
    """Interfaces of 1.x sent bytes."""
    assert from_content(path="/café/".encode()).path == "/café/"


def test_path_that_is_not_utf8_is_refused():
    """It cannot be a path of this site."""
    with pytest.raises(UnicodeDecodeError):
        from_content(path=b"/caf\xe9/")


def test_method_is_upper_case():
    """As the specification of HTTP writes methods."""
    assert from_content(method="post").method == "POST"


def test_method_is_required():
    """A message without a method is not an HTTP request."""
    with pytest.raises(KeyError):
        AsgiRequest({"path": "/"})


@pytest.mark.parametrize("query_string", [b"a=1&a=2&b=%C3%A9", "a=1&a=2&b=%C3%A9"])
def test_query_string_may_be_bytes_or_text(query_string):
    """Test clients of 1.x send text."""
    made = from_content(query_string=query_string)
    assert made.GET.getlist("a") == ["1", "2"]
    assert made.GET["b"] == "é"
    assert made.META["QUERY_STRING"] == "a=1&a=2&b=%C3%A9"


@pytest.mark.parametrize("query_string", [None, b"", ""])
def test_query_string_may_be_missing(query_string):
    """Nothing after the path is an empty query."""
    assert not from_content(query_string=query_string).GET


def test_query_string_that_is_not_utf8_is_refused():
    """The handler answers 400."""
    with pytest.raises(UnicodeDecodeError):
        from_content(query_string=b"a=\xe9")


def test_headers_reach_meta():
    """Content headers have no prefix, all others do."""
    made = request(headers=[(b"Content-Type", b"text/plain"), (b"content-length", b"0"), (b"X-One", b"caf\xe9")])
    assert made.META["CONTENT_TYPE"] == "text/plain"
    assert made.META["CONTENT_LENGTH"] == "0"
    assert made.META["HTTP_X_ONE"] == "café"
    assert made.headers["x-one"] == "café"


def test_repeated_headers_are_joined():
    """With a comma, as HTTP allows."""
    assert request(headers=[(b"accept", b"a"), (b"accept", b"b")]).META["HTTP_ACCEPT"] == "a,b"


def test_split_cookie_headers_lose_nothing():
    """HTTP/2 clients send one header per cookie."""
    made = request(headers=[(b"cookie", b"a=1; "), (b"x", b"y"), (b"Cookie", b"b=2"), (b"cookie", b"c=3;")])
    assert made.COOKIES == {"a": "1", "b": "2", "c": "3"}


def test_headers_may_be_a_dict():
    """The 1.x test client writes them so."""
    made = from_content(headers={"Content-Type": b"text/plain", "cookie": b"a=1", "x-text": "text"})
    assert (made.content_type, made.COOKIES, made.headers["X-Text"]) == ("text/plain", {"a": "1"}, "text")


def test_headers_with_underscores_are_dropped():
    """They could pose as the header with a hyphen."""
    assert "HTTP_X_USER" not in from_content(headers=[(b"x_user", b"admin")]).META


@pytest.mark.parametrize("length", [b"ten", b"5, 5", b"-1", b""])
def test_content_length_that_is_no_number_is_dropped(length):
    """The body is here; its announced length is not needed."""
    made = from_content(headers=[(b"content-length", length)], body=b"hello", method="POST")
    assert "CONTENT_LENGTH" not in made.META
    assert made.body == b"hello"


def test_client_reaches_meta():
    """Address and port of the client."""
    meta = from_content(client=["10.0.0.1", 1234]).META
    assert (meta["REMOTE_ADDR"], meta["REMOTE_HOST"], meta["REMOTE_PORT"]) == ("10.0.0.1", "10.0.0.1", 1234)


def test_client_may_be_unknown():
    """A server on a UNIX socket knows no address."""
    assert "REMOTE_ADDR" not in from_content(client=None).META


def test_server_reaches_meta():
    """Name and port of the server, the port as text."""
    meta = from_content(server=["example.com", 8000]).META
    assert (meta["SERVER_NAME"], meta["SERVER_PORT"]) == ("example.com", "8000")


def test_meta_says_that_others_run_beside():
    """As WSGI servers say of threads and processes."""
    assert (request().META["wsgi.multithread"], request().META["wsgi.multiprocess"]) == (True, True)


def test_server_may_be_unknown():
    """Both keys are always there."""
    meta = from_content().META
    assert (meta["SERVER_NAME"], meta["SERVER_PORT"]) == ("unknown", "0")


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False), (None, False), ("", False)])
def test_scheme_decides_security(scheme, secure):
    """Behind TLS the scheme says so."""
    assert from_content(scheme=scheme).is_secure() is secure


def test_form_reaches_post():
    """A urlencoded body."""
    made = from_content(method="POST", body=b"a=1&a=2", headers={"content-type": b"application/x-www-form-urlencoded"})
    assert made.POST.getlist("a") == ["1", "2"]
    assert not made.FILES


def test_form_with_an_unknown_charset_is_read_as_utf8():
    """A charset that Python does not know is ignored."""
    made = from_content(
        method="POST", body=b"a=%C3%A9", headers={"content-type": b"application/x-www-form-urlencoded; charset=x-no"}
    )
    assert made.POST["a"] == "é"


def test_charset_of_the_content_type_is_the_encoding():
    """Known charsets are honoured."""
    assert from_content(headers={"content-type": b"text/plain; charset=latin-1"}).encoding == "latin-1"


def test_body_is_still_there_after_the_form_was_parsed():
    """Parsing a form keeps the bytes."""
    made = from_content(method="POST", body=b"a=1", headers={"content-type": b"application/x-www-form-urlencoded"})
    assert made.POST["a"] == "1"
    assert made.body == b"a=1"


def test_request_can_be_read_like_a_file():
    """Line by line."""
    made = from_content(method="POST", body=b"one\ntwo\n")
    assert [made.readline(), made.read()] == [b"one\n", b"two\n"]


def test_other_content_is_no_form():
    """JSON stays in the body."""
    made = from_content(method="POST", body=b"{}", headers={"content-type": b"application/json"})
    assert not made.POST
    assert made.body == b"{}"


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=4)
def test_body_larger_than_the_limit_is_refused():
    """Django's limit for what is read into memory."""
    with pytest.raises(RequestDataTooBig):
        _ = from_content(method="POST", body=b"12345").body


@override_settings(FORCE_SCRIPT_NAME="/forced")
def test_forced_script_name_wins():
    """Django's setting beats the root path."""
    made = request("/forced/page/", root_path="/other")
    assert (made.script_name, made.path_info) == ("/forced", "/page/")


def test_websocket_handshakes_can_be_parsed():
    """Sessions of a handshake are found through a request."""
    content = {"path": "/chat/", "method": "FAKE", "query_string": b"session_key=abc", "headers": [[b"cookie", b"s=1"]]}
    made = AsgiRequest(content)
    assert (made.GET["session_key"], made.COOKIES) == ("abc", {"s": "1"})


def test_parsing_leaves_the_message_alone():
    """The message may be parsed again, or put back."""
    made = message(headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")])
    before = made.copy().content
    AsgiRequest(made)
    assert made.content == before


def test_scope_of_a_message_is_that_of_an_asgi_server():
    """Receivers of request_started can read it."""
    made = make_scope(message("/a/", query_string=b"b=1", headers=[(b"x", b"y")]))
    assert (made["type"], made["path"], made["query_string"]) == ("http", "/a/", b"b=1")
    assert dict(made["headers"])[b"x"] == b"y"
