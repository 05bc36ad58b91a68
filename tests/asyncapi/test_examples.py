"""Example values: whatever a model looks like, the example is one that it takes."""

import datetime
import decimal
import uuid
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, create_model

from channels.typed.asyncapi.examples import make_example


def example_of(model: type[BaseModel]) -> Any:
    """Return the example of a model."""
    schema = model.model_json_schema()
    return make_example(schema, schema.get("$defs", {}))


def bounded(kind: Any, low: int, size: int, **more: Any) -> Any:
    """Return a number between two bounds."""
    return Annotated[kind, Field(ge=low, le=low + size, **more)]


whole = st.integers(-1000, 1000)
scalars = st.one_of(
    st.sampled_from(
        [
            *(str, int, float, bool, None, Any, uuid.UUID, decimal.Decimal, AnyUrl, Literal["a", 2]),
            *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
        ]
    ),
    st.builds(bounded, st.sampled_from([int, float]), whole, st.integers(0, 50)),
    st.builds(lambda low: Annotated[int, Field(gt=low)], whole),
    st.builds(lambda high: Annotated[int, Field(lt=high)], whole),
    st.builds(lambda low: Annotated[float, Field(gt=low, lt=low + 0.5)], whole),
    st.builds(lambda low, step: Annotated[int, Field(ge=low, multiple_of=step)], whole, st.integers(1, 60)),
    st.builds(
        lambda least, more: Annotated[str, Field(min_length=least, max_length=least + more)], *[st.integers(0, 9)] * 2
    ),
)


def nest(types: Any) -> Any:
    """Return containers of types."""
    return st.one_of(
        st.builds(lambda each, least: Annotated[list[each], Field(min_length=least)], types, st.integers(0, 3)),
        types.map(lambda each: dict[str, each]),
        types.map(lambda each: Optional[each]),  # noqa: UP045 - also of what has no operator
        st.tuples(types, types).map(lambda pair: tuple[pair]),
        st.dictionaries(st.sampled_from("abc"), types, max_size=3).map(
            lambda fields: create_model("Made", **{name: (each, ...) for name, each in fields.items()})
        ),
    )


@given(st.recursive(scalars, nest, max_leaves=6))
def test_example_is_one_that_the_model_takes(annotation: Any) -> None:
    """Of any type that messages usually have."""
    model = create_model("Message", payload=(annotation, ...))
    model.model_validate_json(model.model_validate(example_of(model)).model_dump_json())


class Node(BaseModel):
    """A model that holds others of its kind."""

    name: str
    left: Optional["Node"]
    below: list["Node"]


class Endless(BaseModel):
    """A model of which there is no instance."""

    next: "Endless"


def test_recursive_model_has_a_short_example() -> None:
    """It ends as soon as it can."""
    assert example_of(Node) == {"name": "text", "left": None, "below": []}


def test_endless_model_has_no_example() -> None:
    """It is refused instead of looked for without end."""
    with pytest.raises(RecursionError, match="Endless"):
        example_of(Endless)


def test_suggestions_of_the_model_come_first() -> None:
    """Then its defaults."""

    class Suggested(BaseModel):
        name: str = Field("b", examples=["ada"])
        size: int = 7

    assert example_of(Suggested) == {"name": "ada", "size": 7}


@pytest.mark.parametrize("pattern", [r"^\d+$", r"^room$", r"^[a-z]{7}$"])
def test_simple_pattern_has_an_example(pattern: str) -> None:
    """Some samples are tried."""
    model = create_model("Message", payload=(str, Field(pattern=pattern)))
    model.model_validate(example_of(model))


def test_pattern_that_python_cannot_read_is_passed_over() -> None:
    """pydantic's are those of Rust."""
    model = create_model("Message", payload=(str, Field(pattern=r"^\p{Lu}+$")))
    assert example_of(model) == {"payload": "text"}


@pytest.mark.parametrize(
    ("types", "expected"), [(["string", "null"], "text"), (["null", "integer"], 1), (["null"], None)]
)
def test_schema_may_list_types(types: list[str], expected: Any) -> None:
    """As those that were written by hand do."""
    assert make_example({"type": types}, {}) == expected
