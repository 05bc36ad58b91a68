"""Changes of model instances: from the signals of a model to the bindings that watch it.

Here is decided which state of a row counts as the one before a change and which as the one after it. Who may see a
row, and what is sent about it, is decided by bindings (``channels.binding.base``).
"""

import functools
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, router
from django.db.models import Field, Model, QuerySet, prefetch_related_objects, signals

from channels import counters
from channels.binding.change import CREATE, DELETE, UPDATE, Change, Listener, change_of, set_change
from channels.channel import Group
from channels.pending import pending_message_store
from channels.types import Content

logger = logging.getLogger("django.channels")

_RELATED = "_binding_related"
_OF_FIXTURE = "_binding_of_fixture"


class Watcher:
    """Receives the signals of one model and hands its changes to the bindings.

    Args:
        model: The model.

    Attributes:
        bindings: The bindings, in the order in which they were registered.
    """

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.bindings: list[Listener] = []
        self._receivers = (
            (signals.pre_save, self.before_save),
            (signals.post_save, self.after_save),
            (signals.pre_delete, self.before_delete),
            (signals.post_delete, self.after_delete),
        )
        self._relations: dict[type[Model], Callable[..., None]] = {}

    def add(self, binding: Listener) -> None:
        """Tell ``binding`` from now on; again changes nothing."""
        if not self.bindings:
            for signal, receiver in self._receivers:
                signal.connect(receiver, sender=self.model, weak=False)
        if binding not in self.bindings:
            self.bindings.append(binding)
        for name in binding.many_to_many_names():
            # Relations that nobody is told of stay as quick as they are without receivers.
            relation: Any = self.model._meta.get_field(name).remote_field
            through = relation.through
            if through not in self._relations:
                self._relations[through] = functools.partial(self.relation_changed, name)
                signals.m2m_changed.connect(self._relations[through], sender=through, weak=False)

    def remove(self, binding: Listener) -> None:
        """Tell ``binding`` no more."""
        if binding in self.bindings:
            self.bindings.remove(binding)
        if not self.bindings:
            for signal, receiver in self._receivers:
                signal.disconnect(receiver, sender=self.model)
            while self._relations:
                through, changed = self._relations.popitem()
                signals.m2m_changed.disconnect(changed, sender=through)

    def before_save(self, instance: Model, using: str, **kwargs: Any) -> None:
        """Receive ``pre_save``: the instance already has the new values, so the database is asked for the old ones."""
        if kwargs.get("raw"):
            vars(instance)[_OF_FIXTURE] = True
        stored = _read_stored(instance, using)
        self._begin(instance, stored, UPDATE if stored is not None else CREATE)

    def after_save(self, instance: Model, created: bool, using: str, **kwargs: Any) -> None:
        """Receive ``post_save``."""
        after = _read_saved(instance, using, kwargs.get("update_fields"))
        self._end(instance, after, CREATE if created else UPDATE, created=created, using=using, **kwargs)

    def before_delete(self, instance: Model, using: str, **kwargs: Any) -> None:
        """Receive ``pre_delete``."""
        # What a queryset or a cascade deletes was read for it, though perhaps in part; one that is deleted itself may
        # differ from its row.
        origin = kwargs.get("origin")
        is_as_stored = origin is not None and origin is not instance and not instance.get_deferred_fields()
        stored = instance if is_as_stored else _read_stored(instance, using)
        self._read_relations([stored] if stored is not None else [])
        self._begin(instance, stored, DELETE)

    def after_delete(self, instance: Model, using: str, **kwargs: Any) -> None:
        """Receive ``post_delete``."""
        self._end(instance, None, DELETE, using=using, **kwargs)

    def relation_changed(
        self, name: str, instance: Model, action: str, reverse: bool, pk_set: Any, using: str, **kwargs: Any
    ) -> None:
        """Receive ``m2m_changed`` of the field ``name``: an update of the rows on this side."""
        moment, _, what = action.partition("_")
        if pk_set is not None and not pk_set:
            return
        noted = vars(instance).setdefault(_RELATED, {})
        key = self.model, name, what  # Proxies and children share the relation, and each has a watcher.
        if moment == "pre":
            rows = noted[key] = self._related(name, instance, reverse, pk_set, using)
            self._read_relations(rows)
            for row in rows:
                if _OF_FIXTURE in vars(instance):
                    vars(row)[_OF_FIXTURE] = True
                self._begin(row, row, UPDATE, name)
            return
        for row in noted.pop(key, ()):
            self._end(row, _read_stored(row, using), UPDATE, using=using, **kwargs)

    def _related(self, name: str, instance: Model, reverse: bool, keys: Any, using: str) -> list[Model]:
        """Return the rows on this side of the relation that are about to change, as the database has them."""
        field: Any = self.model._meta.get_field(name)
        # The field may be a parent's, and the instance of another class: what all of them share is what it refers to.
        key: Any = self.model._meta.get_field(field.m2m_target_field_name())
        rows = self.model._base_manager.using(using)
        if not reverse:
            return list(_locked(rows.filter(**{key.attname: getattr(instance, key.attname)}), using))
        return list(rows.filter(**({name: instance} if keys is None else {f"{key.attname}__in": keys})))

    def _read_relations(self, rows: Sequence[Model]) -> None:
        """Remember relations that are sent: they are others when the signal after the change comes."""
        names = {name for binding in self.bindings for name in binding.many_to_many_names()}
        prefetch_related_objects(rows, *sorted(names))

    def _begin(self, instance: Model, stored: Model | None, action: str, relation: str | None = None) -> None:
        outer = change_of(instance)
        change = Change(stored, outer)
        if stored is not None and stored is not instance:
            set_change(stored, change)
        set_change(instance, change)
        try:
            for binding in self.bindings:
                if relation is None or binding.allows(relation):
                    with _telling(instance):
                        binding.pre_change_receiver(instance, action)
        except BaseException:
            set_change(instance, outer)
            raise

    def _end(self, instance: Model, after: Model | None, action: str, **kwargs: Any) -> None:
        change = change_of(instance)
        if change is None:
            # The signal was sent by hand, without the one before it.
            self._begin(instance, None, action)
            change = change_of(instance)
            assert change is not None
        change.after = after
        if after is not None and after is not instance:
            set_change(after, change)
        try:
            for binding in list(self.bindings):
                if binding in change.group_names:
                    with _telling(instance):
                        binding.post_change_receiver(instance, action, **kwargs)
        finally:
            set_change(instance, change.outer)


def _read_stored(instance: Model, using: str) -> Model | None:
    """Return the row of ``instance`` as the database has it, or None."""
    key = instance.pk
    if key is None or (isinstance(key, tuple) and None in key):
        return None
    return _locked(type(instance)._base_manager.using(using).filter(pk=key), using).first()


def _locked(rows: QuerySet[Model], using: str) -> QuerySet[Model]:
    """Return ``rows``, to be read with the lock that the write takes a moment later.

    Two that move one row at once see each other's groups then.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        return rows
    locked: QuerySet[Model] = rows.select_for_update(no_key=connection.features.has_select_for_no_key_update)
    return locked


def _read_saved(instance: Model, using: str, update_fields: Collection[str] | None) -> Model:
    """Return a row with the values that ``instance`` was saved with."""
    if update_fields is None and all(_is_as_stored(instance, field) for field in instance._meta.concrete_fields):
        return instance
    return type(instance)._base_manager.using(using).filter(pk=instance.pk).first() or instance


def _is_as_stored(instance: Model, field: "Field[Any, Any]") -> bool:
    """Return whether ``instance`` has in ``field`` what the database gives back: no expression, no text for a date."""
    value = vars(instance).get(field.attname)
    if field.generated or hasattr(value, "resolve_expression"):
        return False
    try:
        read = field.to_python(value)
        return read is value or (isinstance(value, type(read)) and bool(read == value))
    except Exception:  # Fields of others take what they like.
        return False


@contextmanager
def _telling(instance: Model) -> Iterator[None]:
    """Tell of a change in a ``with`` block; one of a fixture that names rows which come later is not told."""
    try:
        yield
    except ObjectDoesNotExist as error:
        if _OF_FIXTURE not in vars(instance):
            raise
        counters.add("change.dropped.incomplete")
        logger.info("Nobody is told of %s, a row of a fixture: %s", instance._meta.label, error)


_watchers: dict[type[Model], Watcher] = {}


def watch(model: type[Model], binding: Listener) -> None:
    """Tell ``binding`` of each change of ``model``."""
    _watchers.setdefault(model, Watcher(model)).add(binding)


def unwatch(binding: Listener) -> None:
    """Tell ``binding`` of nothing any more."""
    for watcher in _watchers.values():
        watcher.remove(binding)


def send_on_commit(group_names: Collection[str], message: Content, instance: Model, using: str | None) -> None:
    """Send ``message`` to groups once the change of ``instance`` is committed; never if it is rolled back."""
    alias = using or router.db_for_write(type(instance), instance=instance)
    connections[alias].on_commit(GroupSend(sorted(group_names), message))


class GroupSend:
    """A message to groups that waits for a commit; called once more, it does nothing.

    Args:
        group_names: The groups.
        message: What to send.

    Attributes:
        is_sent: Whether it was called.
    """

    def __init__(self, group_names: Sequence[str], message: Content) -> None:
        self.is_sent = False
        self._group_names = group_names
        self._message = message

    def __call__(self) -> None:
        """Send."""
        # Inside a consumer they wait for its end. Elsewhere they leave in one write, and one that fails is logged and
        # counted: what was committed has happened, and whoever saved cannot take it back.
        if self.is_sent:
            return
        self.is_sent = True
        is_outermost = not pending_message_store.active
        if is_outermost:
            pending_message_store.prepare()
        try:
            for name in self._group_names:
                Group(name).send(self._message)
        finally:
            if is_outermost:
                pending_message_store.send_and_flush()
