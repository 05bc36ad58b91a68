"""The pages as a project includes them, beside an admin site of which only the address matters."""

from django.urls import include, path
from django.views.generic import View

admin = [path("login/", View.as_view(), name="login")]

urlpatterns = [
    path("sockets/", include("channels.typed.urls")),
    path("admin/", include((admin, "admin"))),
]
