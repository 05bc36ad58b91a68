from django.urls import re_path

from posts import views

urlpatterns = [
    re_path(r'^blog/(?P<slug>[^/]+)/$', views.blog),
    re_path(r'^blog/(?P<slug>[^/]+)/post/$', views.post),
]
