"""The pages as a project includes them."""

from django.urls import include, path

urlpatterns = [path("sockets/", include("channels.typed.urls"))]
