"""What Django itself changed since 1.11 under code as the 1.x examples wrote it, beyond names that are gone.

Not a full upgrade tool: ``django-upgrade`` rewrites far more, and Django's own release notes have the rest.
"""

import ast
from collections.abc import Iterator

from channels.legacy.findings import Finding, Weight
from channels.legacy.modules import Module, Project

_RELATIONS = ("ForeignKey", "OneToOneField")
_GONE_SETTINGS = {
    "MIDDLEWARE_CLASSES": "Rename it to MIDDLEWARE; old classes need MiddlewareMixin or __call__.",
    "TEMPLATE_DIRS": "Use DIRS in TEMPLATES.",
    "TEMPLATE_LOADERS": "Use OPTIONS['loaders'] in TEMPLATES.",
    "TEMPLATE_CONTEXT_PROCESSORS": "Use OPTIONS['context_processors'] in TEMPLATES.",
    "TEMPLATE_DEBUG": "Use OPTIONS['debug'] in TEMPLATES.",
}
_CHANGED_DEFAULTS = {
    "USE_TZ": "Its default is True since Django 5.0; write USE_TZ = False to keep naive datetimes.",
    "DEFAULT_AUTO_FIELD": (
        'Its default is BigAutoField since Django 6.0; write DEFAULT_AUTO_FIELD = "django.db.models.AutoField" '
        "to keep the primary keys of your tables."
    ),
}


def check_calls(module: Module) -> Iterator[Finding]:
    """Yield relations without ``on_delete``, and properties of users and requests that used to be methods."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _RELATIONS and (module.dotted(node.func) or "").startswith("django.db.models"):
            has_place = len(node.args) > 1 or any(keyword.arg in ("on_delete", None) for keyword in node.keywords)
            if not has_place:
                yield _removed(module, node, f"{name} without on_delete.", "Add on_delete=models.CASCADE, as it was.")
        elif name in ("is_authenticated", "is_anonymous") and isinstance(node.func, ast.Attribute) and not node.args:
            yield _removed(module, node, f"{name}() is a property now.", "Remove the parentheses.")
        elif name == "is_ajax" and isinstance(node.func, ast.Attribute) and not node.args:
            fix = 'Compare request.headers.get("x-requested-with") with "XMLHttpRequest".'
            yield _removed(module, node, "HttpRequest.is_ajax() was removed in Django 4.0.", fix)


def check_settings(project: Project) -> Iterator[Finding]:
    """Yield settings that are gone, and defaults that changed where the project does not say what it wants."""
    settings = [
        module for module in project.modules if any(name == "INSTALLED_APPS" for name, *_ in module.assignments())
    ]
    said = {name for module in project.modules for name, *_ in module.assignments()}
    for module in settings:
        for name, _value, line in module.assignments():
            if name in _GONE_SETTINGS:
                what = f"The setting {name} is not read any more."
                yield Finding(module.path, line, "django-setting", Weight.BREAKS, what, _GONE_SETTINGS[name])
    for name, fix in _CHANGED_DEFAULTS.items():
        if settings and name not in said:
            what = f"The setting {name} is not set."
            yield Finding(settings[0].path, 1, "django-default", Weight.DIFFERS, what, fix)


def _removed(module: Module, node: ast.AST, what: str, fix: str) -> Finding:
    return Finding(module.path, getattr(node, "lineno", 1), "django-removed", Weight.BREAKS, what, fix)
