"""The pages: everything over HTTP. What the sockets speak is shown below ``/sockets/``."""

from common_sign_in import SignIn
from django.contrib.auth.views import LogoutView
from django.urls import include, path
from teamchat import views
from teamchat.forms import SignInForm

urlpatterns = [
    path("", views.Home.as_view(), name="home"),
    path("login/", SignIn.as_view(form_class=SignInForm, template_name="teamchat/sign_in.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("rooms/<slug:slug>/", views.RoomPage.as_view(), name="room"),
    path("rooms/<slug:slug>/topic/", views.change_topic, name="topic"),
    path("sockets/", include("channels.typed.urls")),
]
