"""Binding: which groups see a row of a model, and who may change one from outside. Knows no protocol.

What a change of a row is, and which of its states counts, is the business of ``channels.binding.changes``.
"""

import functools
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db.models import Model

from channels import counters, names
from channels.auth import anonymous, open_channel_session_user
from channels.binding import changes
from channels.binding.change import CREATE, DELETE, UPDATE, change_of, group_names_of
from channels.binding.metaclass import BindingMetaclass
from channels.binding.writing import Refused, read_key, writing
from channels.message import Message
from channels.sessions import Opener, call_within, open_channel_session, open_ordering
from channels.types import Consumer, Content

__all__ = ["CREATE", "DELETE", "UPDATE", "Binding", "BindingMetaclass"]

logger = logging.getLogger("django.channels")

ALL_FIELDS = "__all__"

_OF_THE_SOCKET = ("websocket.connect", "websocket.disconnect")
"""Messages that ask for nothing, which demultiplexers pass on all the same."""


class Binding(metaclass=BindingMetaclass):
    """Ties a model to groups: those who see a row are told what becomes of it, and may change it if permitted.

    Subclasses set ``model`` and ``fields`` or ``exclude``; one whose own ``model`` is None is abstract. This class
    knows no protocol: ``WebsocketBinding`` is for pages; another one defines ``serialize`` and ``encode``, and for
    changes from outside ``deserialize``, ``create`` and ``update``.

    Attributes:
        instance: The row that is being sent.
        message: The message that asks for a change.
        kwargs: What routing captured from it.
        user: Whose message it is.
        action: What happened, or is asked for: ``create``, ``update`` or ``delete``.
        pk: Primary key of the row to change.
        data: What the message gives it.
    """

    model: Any = None
    """The model, or its name as in ``"app.Model"``."""

    fields: Sequence[str] | None = None
    """Names of the fields that are sent and may be changed; ``["__all__"]`` for all."""

    exclude: Sequence[str] | None = None
    """Names of the fields that are not."""

    stream: str | None = None
    """Name of the stream that changes are sent on."""

    channel_session_user = True
    """Give ``has_permission`` the user of the connection's session."""

    channel_session = False
    """Open the connection's session around changes from outside."""

    strict_ordering = False
    """Take the messages of a connection one after the other, in the order in which they were made."""

    slight_ordering = False
    """Must stay False."""

    signal_kwargs: dict[str, Any] | None = None
    """What the signal of the change was sent with."""

    model_label = ""
    """The model as in ``"app.model"``, lower case; set by ``register``."""

    def __init__(self) -> None:
        self.instance: Any = None
        self.message: Message | None = None
        self.kwargs: dict[str, Any] = {}
        self.user: Any = None
        self.action: str | None = None
        self.pk: Any = None
        self.data: Any = None

    # Declaration

    @classmethod
    def register(cls) -> None:
        """Send the changes of the model from now on; again changes nothing.

        Raises:
            ValueError: ``model`` is missing, or both ``fields`` and ``exclude`` are, or ``slight_ordering`` is set.
            LookupError: There is no such model.
        """
        if cls.model is None:
            raise ValueError(f"You must set the model attribute on Binding {cls!r}!")
        if cls.fields is None and cls.exclude is None:
            raise ValueError(f"You must set the fields or exclude attribute on Binding {cls!r}!")
        if cls.slight_ordering:
            raise ValueError(f"Slight ordering is not supported on Binding {cls!r}: remove slight_ordering.")
        if isinstance(cls.model, str):
            cls.model = apps.get_model(cls.model)
        cls.model_label = cls.model._meta.label_lower
        changes.watch(cls.model, cls)

    @classmethod
    def unregister(cls) -> None:
        """Send nothing any more: for tests that declare bindings of their own."""
        changes.unwatch(cls)

    @classmethod
    def allows(cls, name: str) -> bool:
        """Return whether the field ``name`` is sent and may be changed."""
        # A text is one name, as in ("title"), which is no tuple; looked for in it, parts of names would be found.
        fields, exclude = ([given] if isinstance(given, str) else given or () for given in (cls.fields, cls.exclude))
        return (cls.fields is None or ALL_FIELDS in fields or name in fields) and name not in exclude

    @classmethod
    def many_to_many_names(cls) -> list[str]:
        """Return the many-to-many fields that are sent."""
        return [field.name for field in cls.model._meta.many_to_many if cls.allows(field.name)]

    # From the model to the groups

    @classmethod
    def group_names(cls, instance: Any) -> Iterable[str]:
        """Override: return the names of the groups that may see ``instance`` as it is."""
        raise NotImplementedError(f"{cls.__name__} must define group_names(instance).")

    @classmethod
    def _groups_of(cls, instance: Model | None) -> set[str]:
        return set() if instance is None else set(names.require_list(cls.group_names(instance)))

    @classmethod
    def pre_change_receiver(cls, instance: Model, action: str) -> None:
        """Note the groups that see the stored row, before ``instance`` is saved or deleted."""
        change = change_of(instance)
        stored = change.stored if change is not None else instance
        group_names_of(instance)[cls] = cls._groups_of(None if action == CREATE else stored)

    @classmethod
    def post_change_receiver(cls, instance: Model, action: str, **kwargs: Any) -> None:
        """Tell the groups what became of the row, after ``instance`` was saved or deleted.

        Groups that see it no more are told of a delete, with the row as they knew it.
        """
        change = change_of(instance)
        stored, after = (change.stored, change.after) if change is not None else (instance, instance)
        old = group_names_of(instance).pop(cls)
        new = cls._groups_of(None if action == DELETE else after)
        for name in sorted(old | new):
            names.require_group_name(name)  # While the caller can still roll back.
        if stored is not None:
            cls.send_messages(stored, old - new, DELETE, **kwargs)
        if after is not None:
            cls.send_messages(after, old & new, UPDATE, **kwargs)
            cls.send_messages(after, new - old, CREATE, **kwargs)

    @classmethod
    def send_messages(cls, instance: Any, group_names: Collection[str], action: str, **kwargs: Any) -> None:
        """Send what became of ``instance`` to groups, once it is committed.

        Args:
            instance: The row.
            group_names: The groups.
            action: What it is to them.
            kwargs: What the signal was sent with; ``using`` is the database.

        Raises:
            ValueError: The binding has no ``stream``.
        """
        if not group_names:
            return
        change = change_of(instance)
        self = cls() if change is None else change.bindings.setdefault(cls, cls())
        self.instance, self.action, self.signal_kwargs = instance, action, kwargs
        payload = self.serialize(instance, action)
        if payload == {}:
            return
        if cls.stream is None:
            raise ValueError(f"You must set the stream attribute on Binding {cls!r}: changes are sent on it.")
        changes.send_on_commit(group_names, self.encode(cls.stream, payload), instance, kwargs.get("using"))

    def serialize(self, instance: Any, action: str) -> Any:
        """Override: return what to send about ``instance``; an empty dict sends nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define serialize(instance, action).")

    def encode(self, stream: str, payload: Any) -> Content:
        """Override: return the message that carries ``payload`` on ``stream``."""
        raise NotImplementedError(f"{type(self).__name__} must define encode(stream, payload).")

    # From a message to the model

    @classmethod
    def consumer(cls, message: Message, **kwargs: Any) -> Any:
        """Consume ``message``: for routes, and for the ``consumers`` of a demultiplexer."""
        return cls.get_handler()(message, **kwargs)

    @classmethod
    def get_handler(cls) -> Consumer:
        """Return what consumes messages, within what the class asks for. Override to decorate it."""
        openers: list[Opener] = [open_ordering] if cls.strict_ordering else []
        if cls.channel_session_user:
            openers.append(open_channel_session_user)
        elif cls.channel_session or cls.strict_ordering:
            openers.append(open_channel_session)

        @functools.wraps(cls.trigger_inbound)
        def handler(message: Message, **kwargs: Any) -> Any:
            return call_within(openers, message, cls.trigger_inbound, message, **kwargs)

        return handler

    @classmethod
    def trigger_inbound(cls, message: Message, **kwargs: Any) -> None:
        """Do what ``message`` asks for, if its user may; answer it if it is refused."""
        if message.channel is not None and message.channel.name in _OF_THE_SOCKET:
            return
        self = cls()
        self.message, self.kwargs = message, kwargs
        self.user = getattr(message, "user", None) or anonymous()
        try:
            self.action, key, self.data = self.deserialize(message)
            self.pk = read_key(cls.model, key)
            if not self.has_permission(self.user, self.action, self.pk):
                raise Refused("permission_denied", "You may not do this.")
            with writing(cls.model):
                self.run_action(self.action, self.pk, self.data)
        except Refused as refused:
            counters.add(f"message.dropped.{refused.code}")
            logger.info("Refused a change of %s (%.50r, pk %.50r): %s", cls.model_label, self.action, self.pk, refused)
            self.refuse(refused)

    def deserialize(self, message: Message) -> tuple[Any, Any, Any]:
        """Override: return action, primary key (None if there is none) and data of ``message``."""
        raise NotImplementedError(f"{type(self).__name__} must define deserialize(message).")

    def has_permission(self, user: Any, action: Any, pk: Any) -> bool:
        """Override: return whether ``user`` may do ``action`` to the row ``pk``. Nobody may unless you say so."""
        return False

    def refuse(self, refused: Refused) -> None:
        """Override to answer a message that was refused; this class says nothing."""

    def run_action(self, action: Any, pk: Any, data: Any) -> None:
        """Do ``action``. Override to add actions.

        Raises:
            Refused: There is no such action, or the model does not take it.
        """
        if action == CREATE:
            self.create(data)
        elif action == UPDATE:
            self.update(pk, data)
        elif action == DELETE:
            self.delete(pk)
        else:
            raise Refused("unknown_action", f"Bad action {action!r}")

    def create(self, data: Any) -> None:
        """Override: make a row of ``data``."""
        raise NotImplementedError(f"{type(self).__name__} must define create(data).")

    def update(self, pk: Any, data: Any) -> None:
        """Override: give the row ``pk`` the values of ``data``."""
        raise NotImplementedError(f"{type(self).__name__} must define update(pk, data).")

    def delete(self, pk: Any) -> None:
        """Delete the row ``pk``.

        Raises:
            Refused: There is none, or others refer to it.
        """
        count, _ = self.get_queryset().filter(pk=pk).delete()
        if not count:
            raise Refused.missing()

    def get_queryset(self) -> Any:
        """Return the rows that messages may update and delete. Override to leave some out."""
        return self.model._default_manager.all()
