"""The pages: everything over HTTP."""

from chat import views
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

urlpatterns = [
    path("", views.home, name="home"),
    path("rooms/new/", views.RoomCreate.as_view(), name="room-create"),
    path("rooms/<slug:slug>/", views.RoomPage.as_view(), name="room"),
    path("pictures/<int:message_id>/", views.picture, name="picture"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("signup/", views.SignUp.as_view(), name="signup"),
]
