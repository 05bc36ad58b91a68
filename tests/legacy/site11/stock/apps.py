from django.apps import AppConfig


class StockConfig(AppConfig):
    name = "stock"

    def ready(self):
        # The bindings have to be imported in every process that saves rows
        from . import binders  # noqa
