"""The pages: everything over HTTP."""

from board import views
from common_sign_in import SignIn
from django.contrib.auth.views import LogoutView
from django.urls import path

urlpatterns = [
    path("", views.home, name="home"),
    path("login/", SignIn.as_view(template_name="board/sign_in.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("boards/<slug:slug>/", views.BoardPage.as_view(), name="board"),
    path("boards/<slug:slug>/cards/", views.cards, name="cards"),
    path("boards/<slug:slug>/paste/", views.paste, name="paste"),
]
