"""The consumer of ``http.request`` that the commands give to the router."""

from django.apps import apps

from channels.types import Consumer


def http_consumer(*, serve_static: bool) -> Consumer:
    """Return a consumer that runs Django's views, and serves static files before them if asked to."""
    if serve_static and apps.is_installed("django.contrib.staticfiles"):
        from channels.staticfiles import StaticFilesConsumer

        return StaticFilesConsumer()
    from channels.handler import ViewConsumer

    return ViewConsumer()
