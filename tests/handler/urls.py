"""Pages of the handler tests."""

from django.urls import path

from tests.handler import views

urlpatterns = [
    path("", views.hello, name="hello"),
    path("hello/<str:name>/", views.hello),
    path("async/", views.hello_async),
    path("echo/", views.echo),
    path("caf\xe9/", views.echo),
    path("body/", views.body),
    path("json/", views.body_json),
    path("cookies/", views.cookies),
    path("headers/", views.headers),
    path("session/", views.session),
    path("big/<int:size>/", views.big),
    path("digest/", views.digest),
    path("made/<int:pieces>/<int:size>/", views.made),
    path("events/", views.events),
    path("publish/", views.publish),
    path("stream/", views.stream),
    path("stream/endless/", views.stream_endless),
    path("stream/nothing/", views.stream_nothing),
    path("stream/async/", views.stream_async),
    path("stream/fails/<int:after>/", views.stream_fails),
    path("download/", views.download),
    path("redirect/", views.redirect),
    path("conditional/", views.conditional),
    path("only-get/", views.only_get),
    path("template/", views.template),
    path("error/<str:kind>/", views.error),
    path("error/async/<str:kind>/", views.error_async),
    path("nothing/", views.nothing),
    path("static/made/<str:name>/", views.hello),
    path("later/", views.later),
    path("later/async/", views.later_async),
    path("reply-channel/", views.reply_channel),
]
