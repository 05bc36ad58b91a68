"""Rows as pages get them: Django's JSON serializer, with the fields that a model has from its parents."""

from collections.abc import Collection
from typing import Any

from django.core.serializers.json import Serializer
from django.db.models import Model


class RowSerializer(Serializer):
    """Django's, which leaves out what stands in the tables of the parents."""

    def start_object(self, obj: Any) -> None:
        """Begin a row with what its own table does not have."""
        super().start_object(obj)
        meta = obj._meta.concrete_model._meta
        wanted: Collection[str] = self.selected_fields or ()
        for field in meta.concrete_fields:
            if field not in meta.local_fields and field.serialize and field.name in wanted:
                (self.handle_fk_field if field.remote_field else self.handle_field)(obj, field)
        for field in meta.many_to_many:
            if field not in meta.local_many_to_many and field.serialize and field.name in wanted:
                self.handle_m2m_field(obj, field)


def serialize_row(instance: Model, names: Collection[str]) -> str:
    """Return a JSON list of one record, whose ``fields`` are those called ``names``."""
    text: str = RowSerializer().serialize([instance], fields=names)
    return text
