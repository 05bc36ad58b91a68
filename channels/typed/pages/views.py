"""The views behind ``channels.typed.urls``."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.generic import TemplateView, View

from channels import conf
from channels.typed import settings
from channels.typed.asyncapi import build_document, find_routes, write_document
from channels.typed.pages.access import Guarded, may_see
from channels.typed.pages.playground import describe_consumers
from channels.typed.pages.reference import describe_channels
from channels.typed.wire import Spelling

CONTENT_TYPES = {"json": "application/json", "yaml": "application/yaml"}


def base_url_of(request: HttpRequest) -> str:
    """Return where the WebSockets are: ``WEBSOCKET_BASE_URL`` if the project sets it, else where the page is."""
    given = conf.get("CHANNELS_TYPED").get("WEBSOCKET_BASE_URL")
    return given or f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"


class DocumentView(Guarded, View):
    """The AsyncAPI document.

    Attributes:
        form: Of ``channels.typed.asyncapi.FORMATS``.
    """

    access_setting = "ASYNCAPI_ACCESS"
    raise_exception = True  # Programs cannot log in on a page.
    form = "json"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return it, with the address of this site."""
        document = build_document(find_routes(), base_url=base_url_of(request))
        return HttpResponse(write_document(document, self.form), content_type=CONTENT_TYPES[self.form])


class ReferenceView(Guarded, TemplateView):
    """The document as a page for people."""

    access_setting = "ASYNCAPI_ACCESS"
    template_name = "channels/typed/reference.html"
    extra_context = {"page": "reference"}  # noqa: RUF012 - as Django declares it

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the document and the links to its forms."""
        document = build_document(find_routes(), base_url=base_url_of(self.request))
        return super().get_context_data(
            document=document,
            server=document["servers"]["site"],
            channels=describe_channels(document),
            links=_links(self.request),
            **kwargs,
        )


class PlaygroundView(Guarded, TemplateView):
    """Connects to typed consumers from the browser, sends messages and shows the traffic."""

    access_setting = "PLAYGROUND_ACCESS"
    template_name = "channels/typed/playground.html"
    extra_context = {"page": "playground"}  # noqa: RUF012 - as Django declares it

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add what the page's script needs to know."""
        spelling = Spelling.of_project()
        playground = {
            "server": base_url_of(self.request),
            "action_key": spelling.action_key,
            "consumers": describe_consumers(find_routes()),
        }
        title = settings.get("ASYNCAPI_TITLE")
        return super().get_context_data(playground=playground, title=title, links=_links(self.request), **kwargs)


def _links(request: HttpRequest) -> dict[str, str]:
    """Return the addresses of the pages that the visitor may see."""
    space = f"{request.resolver_match.namespace}:" if request.resolver_match else ""
    names = {"ASYNCAPI_ACCESS": ("reference", "document", "document-yaml"), "PLAYGROUND_ACCESS": ("playground",)}
    seen = [name for setting, pages in names.items() if may_see(request, setting) for name in pages]
    return {name.replace("-", "_"): reverse(f"{space}{name}") for name in seen}
