from django.contrib.auth.views import LoginView
from django.urls import path

from stock import views

urlpatterns = [
    path("login/", LoginView.as_view(next_page="/")),
    path("sell/<int:pk>/", views.sell),
]
