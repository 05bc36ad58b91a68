"""The pages: everything over HTTP. What the sockets speak is shown below ``/sockets/``."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from teamchat import views

urlpatterns = [
    path("", views.Home.as_view(), name="home"),
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("rooms/<slug:slug>/", views.RoomPage.as_view(), name="room"),
    path("rooms/<slug:slug>/topic/", views.change_topic, name="topic"),
    path("sockets/", include("channels.typed.urls")),
]
