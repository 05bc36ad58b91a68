"""No pages: tests that need some set ``ROOT_URLCONF``."""

urlpatterns: list[object] = []
