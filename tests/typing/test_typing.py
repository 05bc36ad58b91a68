"""Annotations serve those who use the package: mypy, strict, on code as projects write it."""

from pathlib import Path

from mypy import api

ROOT = Path(__file__).resolve().parents[2]


def test_public_api_type_checks_in_a_project() -> None:
    """Code that uses the public names as documented has no type errors."""
    report, errors, _ = api.run(
        ["--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(Path(__file__).with_name("api.py"))]
    )
    assert [line for line in report.splitlines() if "tests/typing/api.py" in line] == []
    assert errors == ""
