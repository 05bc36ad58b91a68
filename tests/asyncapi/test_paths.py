"""Paths of routes as addresses: what stands for them in a document and what may stand in their place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.typed.asyncapi.paths import read_address


@pytest.mark.parametrize(
    ("patterns", "template"),
    [
        ([r"^/chat/(?P<room>\w+)/$"], "/chat/{room}/"),
        ([r"^/api", r"^/rooms/(?P<pk>\d{1,3})/seats/(?P<seat>[^()]+)"], "/api/rooms/{pk}/seats/{seat}"),
        ([r"^/socket\.io/100%/$"], "/socket.io/100%/"),
        ([r"/rooms(?:/(?P<pk>\d+))?/$"], "/rooms/{pk}/"),
        ([r"/rooms(/(?P<pk>\d+))?/$"], "/rooms/"),
        ([], "/"),
    ],
)
def test_path_becomes_an_address(patterns: list[str], template: str) -> None:
    """Named groups are parameters; the pieces of includes stand before."""
    assert read_address(patterns).template == template


@pytest.mark.parametrize("pattern", [r"^/(?:a|b)/$", r"(?i)^/a/$", r"^/(\d+)/$", r"^/a|^/b", r"^/(?P<a>[)\]]+)$"])
def test_expression_of_several_paths_has_no_address(pattern: str) -> None:
    """It is named instead, so that a reader is not told something false."""
    address = read_address([pattern])
    assert address.template is None
    assert address.pattern == pattern.removeprefix("^")


def test_parameter_knows_its_pattern() -> None:
    """Brackets inside classes and escaped ones end nothing."""
    address = read_address([r"^/(?P<a>[(\])x]+)/(?P<b>(?:\d\)){2})/(?P<c>[^]a]+)/(?P<d>[]b]+)/$"])
    assert [each.pattern for each in address.parameters] == [r"[(\])x]+", r"(?:\d\)){2}", r"[^]a]+", r"[]b]+"]


def test_parameter_knows_its_choices() -> None:
    """Where the pattern lists them."""
    (parameter,) = read_address([r"^/(?P<side>north|south-east)/$"]).parameters
    assert parameter.choices == ["north", "south-east"]
    assert parameter.example == "north"


@pytest.mark.parametrize("pattern", [r"\w+", r"\d{4}-\d\d-\d\d", r"[0-9a-f-]{36}", r"[a-z]+", r"[A-Z]"])
def test_example_of_a_parameter_matches(pattern: str) -> None:
    """Usual patterns have one."""
    (parameter,) = read_address([f"^/(?P<it>{pattern})/$"]).parameters
    assert re.fullmatch(pattern, parameter.example)


@pytest.mark.parametrize("pattern", [r"^/(?P<it>zz+)/$", r"^/(?P<other>\w)/(?P<it>(?P=other))/$"])
def test_strange_parameter_has_no_example(pattern: str) -> None:
    """Better none than a wrong one."""
    *_, parameter = read_address([pattern]).parameters
    assert (parameter.name, parameter.example) == ("it", "")


@given(st.text(alphabet="abc/-_.%+ é", max_size=30))
def test_plain_text_is_its_own_address(text: str) -> None:
    """Whatever is escaped comes back as it was."""
    assert read_address([re.escape(f"/{text}")]).template == f"/{text}"
