"""A consumer whose messages have fields of all kinds that pydantic has a schema for."""

import datetime
import decimal
import enum
import ipaddress
import uuid
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar

from pydantic import AnyUrl, Base64Bytes, BaseModel, ConfigDict, Field, Json, RootModel, SecretStr, computed_field

from channels.typed import BaseMessage, TypedConsumer, ws_handler

T = TypeVar("T")


class Colour(enum.Enum):
    """Named values."""

    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    """Numbers with names."""

    LOW = 1
    HIGH = 2


class Circle(BaseModel):
    """A shape."""

    shape: Literal["circle"] = "circle"
    radius: Annotated[float, Field(gt=0, le=10)]


class Polygon(BaseModel):
    """Another one, with a model for its parts."""

    shape: Literal["square", "triangle"]
    corners: list[tuple[int, int]]


class Tree(BaseModel):
    """A model that holds others of its kind."""

    label: str
    branches: list["Tree"] = []
    parent: Optional["Tree"] = None


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    items: list[T]
    size: int = Field(20, ge=1, le=100)


class Tags(RootModel[dict[str, set[str]]]):
    """A model that is one value."""


class Everything(BaseModel):
    """Something of everything."""

    model_config = ConfigDict(extra="forbid", title="All")

    colour: Colour
    level: Level = Level.LOW
    when: datetime.datetime
    day: datetime.date | None = None
    span: datetime.timedelta = datetime.timedelta(minutes=5)
    price: decimal.Decimal = Field(max_digits=8, decimal_places=2)
    key: uuid.UUID
    where: AnyUrl
    host: ipaddress.IPv4Address
    file: Path = Path("a/b")
    raw: Base64Bytes = b"aGVsbG8="
    document: Json[dict[str, int]] = Field(examples=['{"a": 1}'])
    secret: SecretStr
    shapes: list[Annotated[Circle | Polygon, Field(discriminator="shape")]] = Field(min_length=1)
    tree: Tree
    pages: Page[Circle] | Page[int]
    tags: Tags
    codes: dict[Annotated[str, Field(pattern="^[a-z]+$")], int] = {}
    pair: tuple[int, str]
    many: tuple[float, ...] = ()
    chosen: frozenset[Colour] = frozenset({Colour.RED})
    properties: dict[str, Any] = {"required": True}
    default: int = Field(7, deprecated=True, json_schema_extra={"examples": [8]})
    anything: Any = None


class TakeMessage(BaseMessage):
    """Takes everything."""

    action: Literal["take", "hand_over"]
    payload: Everything


class GiveMessage(BaseMessage):
    """Gives it back."""

    action: Literal["give"] = "give"
    payload: Everything

    @computed_field  # type: ignore[prop-decorator]
    @property
    def size_of_it(self) -> int:
        """Its length as text."""
        return len(str(self.payload))


class Echo(TypedConsumer):
    """Gives back what it takes."""

    permission_classes = ()

    @ws_handler
    def take(self, message: TakeMessage) -> GiveMessage:
        """Give it back."""
        return GiveMessage(payload=message.payload)


routes = [Echo.as_route(path="^/echo/$")]
