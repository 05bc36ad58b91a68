"""BindingMetaclass: which bindings there are, and since when they send."""

from typing import Any, ClassVar

from channels.routing import require_synchronous

OVERRIDDEN = (
    *("group_names", "has_permission", "serialize", "encode", "deserialize"),
    *("run_action", "create", "update", "delete", "refuse"),
)
"""Methods of bindings that nobody awaits: a permission would be given to everybody, a change not made."""


class BindingMetaclass(type):
    """Keeps every binding that is not abstract; each is registered when the apps are ready, or at once after that."""

    # Tests of 1.x projects replace it; nothing else writes to it.
    binding_classes: ClassVar[list[Any]] = []

    binding_classes_registered = False

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any], **kwargs: Any) -> Any:
        binding: Any = super().__new__(mcs, name, bases, body, **kwargs)
        for method in OVERRIDDEN:
            require_synchronous(getattr(binding, method, None))
        if "model" not in body or body["model"] is not None:
            BindingMetaclass.binding_classes.append(binding)
            if BindingMetaclass.binding_classes_registered:
                binding.register()
        return binding

    @classmethod
    def register_all(mcs) -> None:
        """Register every binding made so far; those made later register themselves."""
        BindingMetaclass.binding_classes_registered = True
        for binding in BindingMetaclass.binding_classes:
            binding.register()
