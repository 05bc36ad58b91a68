"""One page for every path."""

from django.urls import re_path

from tests.handler import views

urlpatterns = [re_path(r"(?s)^.*$", views.echo)]
