"""The pages in a project without an admin site."""

from django.urls import include, path

urlpatterns = [path("sockets/", include("channels.typed.urls"))]
