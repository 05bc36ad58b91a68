"""Addresses of the pages about typed consumers, for ``include("channels.typed.urls")``."""

from django.urls import path

from channels.typed.pages.views import DocumentView, PlaygroundView, ReferenceView

app_name = "channels_typed"

urlpatterns = [
    path("", ReferenceView.as_view(), name="reference"),
    path("asyncapi.json", DocumentView.as_view(), name="document"),
    path("asyncapi.yaml", DocumentView.as_view(form="yaml"), name="document-yaml"),
    path("playground/", PlaygroundView.as_view(), name="playground"),
]
