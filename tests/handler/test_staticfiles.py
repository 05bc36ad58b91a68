"""Static files through the channels: what is served, and what is left to the views."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.handler import AsgiRequest, ViewConsumer
from channels.staticfiles import StaticFilesConsumer, StaticFilesHandler
from tests.support.http import collect, message


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    """Serve one style sheet and one text file."""
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "site style.css").write_text("body {}")
    (tmp_path / "secret.txt").write_text("outside")
    settings.STATICFILES_DIRS = [tmp_path / "css"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]


def get(path, **more):
    """Return the response to a request for ``path``."""
    return collect(StaticFilesHandler()(message(path, **more)))


def test_static_file_is_served():
    """With its type, whatever DEBUG is."""
    reply = get("/static/site style.css")
    assert (reply.status, reply.body, reply.header("content-type")) == (200, b"body {}", "text/css")


def test_static_file_is_served_once_per_change():
    """Conditional requests, as Django's view answers them."""
    modified = get("/static/site style.css").header("last-modified")
    headers = [(b"if-modified-since", modified.encode())]
    reply = get("/static/site style.css", headers=headers)
    assert (reply.status, reply.body) == (304, b"")


def test_static_file_skips_the_middleware(settings):
    """As under Django's own development server."""
    settings.MIDDLEWARE = ["tests.handler.test_middleware.Outer"]
    assert get("/static/site style.css").header("x-seen") is None
    assert get("/").header("x-seen") is not None


def test_other_paths_are_left_to_the_views():
    """Only what is under STATIC_URL is a file."""
    assert get("/").body == b"Hello world"


def test_missing_file_is_left_to_the_views():
    """Which may know the path, or answer with the site's own 404 page."""
    assert get("/static/made/here/").body == b"Hello here"
    assert get("/static/missing.css").status == 404


def test_static_file_closes_its_request():
    """Like any response."""
    closed = []

    class Noting(AsgiRequest):
        def close(self):
            super().close()
            closed.append(self.path)

    handler = StaticFilesHandler()
    handler.request_class = Noting
    list(handler(message("/static/site style.css")))
    assert closed == ["/static/site style.css"]


def test_path_that_cannot_be_a_file_is_a_bad_request():
    """Whatever staticfiles raises, the client is answered as Django answers that error."""
    assert get("/static/../../secret.txt").status == 400


def test_missing_file_is_explained_with_debug(settings):
    """Django's technical page says that it was looked for as a static file."""
    settings.DEBUG = True
    reply = get("/static/missing.css")
    assert reply.status == 404
    assert b"could not be found" in reply.body


@pytest.mark.parametrize("path", ["/static/../secret.txt", "/static//secret.txt", "/static/%2e%2e/secret.txt"])
def test_files_outside_are_not_served(path):
    """Whatever the path says."""
    reply = get(path)
    assert reply.status in (400, 404)
    assert b"outside" not in reply.body


def test_static_url_on_another_host_is_left_alone(settings):
    """Its files come from there."""
    settings.STATIC_URL = "https://static.example.com/static/"
    assert get("/static/site style.css").status == 404


def test_contradicting_settings_are_refused_at_construction(settings):
    """Not at the first request."""
    settings.STATIC_URL = settings.MEDIA_URL = "/same/"
    with pytest.raises(ImproperlyConfigured):
        StaticFilesHandler()


def test_static_consumer_is_a_view_consumer():
    """It takes the place of the default consumer."""
    consumer = StaticFilesConsumer()
    assert isinstance(consumer, ViewConsumer)
    assert isinstance(consumer.handler, StaticFilesHandler)
