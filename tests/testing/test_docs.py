"""The pages on testing do what they say: their files are written down and run by pytest."""

import re
import textwrap
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.redis import RedisServer
from tests.testing.test_project import run

BLOCK = re.compile(r"^\.\. code-block:: python\n\n(?P<body>(?:    .*\n|\n)+)", re.MULTILINE)

BASE_SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "not a secret: tests only"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels", "chat",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.sqlite3"}}
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
"""


def write_files(page: str, directory: Path) -> list[str]:
    """Write the Python blocks of ``page`` into the files that their first lines name; return those names."""
    names = []
    for found in BLOCK.finditer((ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")):
        code = textwrap.dedent(found["body"])
        heading = re.match(r"# (\S+\.py)\n", code)
        assert heading, f"A block of {page} names no file:\n{code}"
        target = directory / heading[1]
        target.parent.mkdir(exist_ok=True)
        if target.parent != directory:
            (target.parent / "__init__.py").touch()
        target.write_text((BASE_SETTINGS if target.name == "settings.py" else "") + code)
        names.append(heading[1])
    return names


def run_tests(directory: Path, *options: str) -> str:
    """Run pytest on what was written, and return what it says."""
    own = ["-c", "/dev/null", "--rootdir", str(directory), "-p", "no:cacheprovider", "-W", "error"]
    environment = {"PYTHONPATH": f"{ROOT}:{directory}"}
    status, output = run(["-m", "pytest", *own, *options], environment, directory)
    assert status == 0, output
    return output


def test_examples_of_the_testing_page_pass(tmp_path: Path, redis_server: RedisServer) -> None:
    """All of them, with the settings that the page shows."""
    names = write_files("testing", tmp_path)
    settings = tmp_path / "mysite" / "settings.py"
    hosts = "redis://localhost:6379/9"
    assert hosts in settings.read_text()
    settings.write_text(settings.read_text().replace(hosts, redis_server.url))
    output = run_tests(tmp_path, "--ds", "mysite.settings", "chat")
    tests = [name for name in names if Path(name).name.startswith("test_")]
    assert len(tests) == 6
    found = re.search(r"(\d+) passed", output)
    assert found, output
    assert int(found[1]) == sum((tmp_path / name).read_text().count("def test_") for name in tests)


def test_layer_of_the_page_for_authors_passes_all_tests(tmp_path: Path) -> None:
    """The whole contract, without a Django project."""
    assert write_files("layers-writing", tmp_path) == ["listlayer.py", "test_listlayer.py"]
    output = run_tests(tmp_path, "-p", "no:django", "test_listlayer.py")
    found = re.search(r"(\d+) passed", output)
    assert found, output
    assert int(found[1]) > 50


def test_pages_lead_to_the_tests_of_the_example() -> None:
    """What the testing page and the example's README name is there."""
    chat = ROOT / "examples/chat"
    assert "chat/tests/test_pages.py" in (ROOT / "docs/testing.rst").read_text()
    assert (chat / "chat/tests/test_pages.py").is_file()
    assert "\n    python -m pytest\n" in (chat / "README.rst").read_text()
    assert (chat / "pytest.ini").is_file()
