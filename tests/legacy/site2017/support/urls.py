from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.urls import re_path

urlpatterns = [
    re_path(r"^$", lambda request: HttpResponse("support")),
    re_path(r"^login/$", LoginView.as_view(next_page="/")),
]
