"""Changes of rows from outside: values that clients sent, checked by the model, and why one was refused."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DataError, IntegrityError, router, transaction
from django.db.models import (
    AutoField,
    Field,
    FileField,
    FilePathField,
    ManyToManyField,
    Model,
    ProtectedError,
    RestrictedError,
)

from channels.generic.multiplexing import BadFrame


class Refused(BadFrame):
    """A change that was asked for and not made.

    Args:
        code: ``invalid_json``, ``invalid_payload``, ``unknown_action``, ``permission_denied``, ``not_found``,
            ``invalid`` or ``conflict``.
        detail: A sentence for who wrote the client.
        fields: Field to what is wrong with its value; ``__all__`` for what concerns several.
    """

    def __init__(self, code: str, detail: str, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, detail)
        self.fields = fields

    @classmethod
    def missing(cls) -> "Refused":
        """Return the refusal of a change to a row that is not there."""
        return cls("not_found", "There is no row with this primary key.")

    @classmethod
    def invalid(cls, fields: Mapping[str, Any]) -> "Refused":
        """Return the refusal of values that the model does not take."""
        return cls("invalid", "The values are not valid.", fields)


def read_key(model: type[Model], key: Any) -> Any:
    """Return the primary key that a client sent, as a value of the model, so that permissions compare like with like.

    Raises:
        Refused: It is none.
    """
    if key is None:
        return None
    fields = model._meta.pk_fields
    parts = key if isinstance(key, list) and len(fields) > 1 else [key]
    try:
        if len(parts) != len(fields) or any(isinstance(part, bool | list | dict) for part in parts):
            raise ValueError("Primary keys are numbers or texts.")
        read = tuple(field.to_python(part) for field, part in zip(fields, parts, strict=True))
        if any(isinstance(part, str) and b"\0" in part.encode() for part in read):
            raise ValueError("Databases do not take such a text, not even to look for it.")
    except (ValidationError, TypeError, ValueError, ArithmeticError) as error:
        raise Refused.missing() from error
    return read if len(read) > 1 else read[0]


@contextmanager
def writing(model: type[Model]) -> Iterator[None]:
    """Run a ``with`` block in a transaction; what the database refuses becomes a refusal.

    Raises:
        Refused: The model or the database does not take the values, or other rows refer to one that was to be deleted.
    """
    try:
        with transaction.atomic(using=router.db_for_write(model)):
            yield
    except (ProtectedError, RestrictedError) as error:
        raise Refused("conflict", "Other rows refer to this one.") from error
    except ValidationError as error:  # Of a save, or a signal, of the project's own.
        raise Refused.invalid(_messages_of(error)) from error
    except IntegrityError as error:
        raise Refused("conflict", "The values contradict other rows.") from error
    except (DataError, UnicodeEncodeError) as error:
        raise Refused("invalid", "The database does not take the values.") from error


def fill(instance: Model, data: Mapping[str, Any], allows: Callable[[str], bool]) -> dict[str, list[Any]]:
    """Give ``instance`` the values that ``data`` has for allowed fields, and check it.

    Fields that are not editable are left out as in forms: the model would not check them. So are files, of which a
    page could only choose the path, an automatic primary key, that of a row that exists, and the link of a child to its
    parent, by which a new child would take over the parent row of somebody else.

    Returns:
        Name of a many-to-many field to primary keys, to be set once the instance is saved.

    Raises:
        Refused: The model does not take them.
    """
    errors: dict[str, Any] = {}
    relations: dict[str, list[Any]] = {}
    for field in (*instance._meta.concrete_fields, *instance._meta.many_to_many):
        if field.name not in data or not allows(field.name) or not _is_writable(field, instance):
            continue
        try:
            if isinstance(field, ManyToManyField):
                relations[field.name] = _read_related(field, data[field.name])
            else:
                setattr(instance, field.attname, _read_value(field, data[field.name]))
        except ValidationError as error:
            errors[field.name] = error.messages
        except (TypeError, ValueError, ArithmeticError):
            errors[field.name] = ["This is no value for this field."]
    try:
        instance.full_clean(exclude=errors)
    except ValidationError as error:
        errors.update(_messages_of(error))
    if errors:
        raise Refused.invalid(errors)
    return relations


def _messages_of(error: ValidationError) -> dict[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}


def _read_value(field: "Field[Any, Any]", value: Any) -> Any:
    read = field.to_python(value)
    if isinstance(read, float) and not math.isfinite(read):
        raise ValueError("JSON has no such number: pages could not read the row any more.")
    return read


def _is_writable(field: "Field[Any, Any]", instance: Model) -> bool:
    is_key = field.primary_key or field in instance._meta.pk_fields  # Of which there may be several.
    is_key_in_use = is_key and not instance._state.adding
    is_parent_link = getattr(field.remote_field, "parent_link", False)
    if is_key_in_use or is_parent_link:
        return False
    return field.editable and not isinstance(field, AutoField | FileField | FilePathField)


def _read_related(field: Any, keys: Any) -> list[Any]:
    if not isinstance(keys, list):
        raise ValidationError("Expected a list of primary keys.")
    model = field.remote_field.model
    if not keys and not field.blank:
        raise ValidationError(field.error_messages["blank"])
    read = {model._meta.pk.to_python(key) for key in keys if key is not None}
    rows = model._base_manager.using(router.db_for_write(model)).filter(pk__in=read)
    found = rows.complex_filter(field.get_limit_choices_to()).values("pk").distinct().count()
    if None in keys or found != len(read):
        raise ValidationError("Some of these rows do not exist.")
    return sorted(read)


def save(instance: Model, relations: Mapping[str, list[Any]]) -> None:
    """Save an instance that was filled; one that is new never takes the place of a row."""
    instance.save(force_insert=instance._state.adding)
    for name, keys in relations.items():
        getattr(instance, name).set(keys)
