"""The document of typed consumers: what it tells of their paths, messages, handlers and options."""

import json
import re
from typing import Any, Literal

import jsonschema
import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, Field

from channels.routing import include, route
from channels.test import WebsocketSession, apply_routes
from channels.test.typed import override_typed_settings
from channels.typed import BaseMessage, TypedConsumer, ws_handler
from channels.typed.asyncapi import TypedRoute, build_document, find_routes, write_document
from channels.typed.pages.playground import describe_consumers
from tests.asyncapi import desk, everything


def targets(document: Any) -> list[str]:
    """Return all references of a document."""
    return re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))


def test_routes_are_found_through_includes(routed: None) -> None:
    """With the paths on the way."""
    found = [(each.name, each.consumer, each.address.template) for each in find_routes()]
    assert found == [("Desk", desk.Desk, "/desks/{building}/"), ("Counter", desk.Counter, "/counters/{pk}/")]


def test_other_consumers_are_passed_over() -> None:
    """Functions, and routes of other channels."""
    with apply_routes([route("websocket.connect", desk.plain), include([route("thumbnails.make", desk.plain)])]):
        assert find_routes() == []


def test_consumer_on_two_paths_has_two_names() -> None:
    """So that both stand in the document."""
    with apply_routes([desk.Desk.as_route(path="^/a/$"), desk.Desk.as_route({"strict_ordering": True}, path="^/b/$")]):
        document = build_document(find_routes())
    assert [(name, each["address"]) for name, each in document["channels"].items()] == [
        ("Desk", "/a/"),
        ("Desk_2", "/b/"),
    ]
    assert "Desk_2.ask" in document["operations"]
    assert document["channels"]["Desk_2"]["description"] == document["channels"]["Desk"]["description"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Within the document."""
    found = targets(document)
    assert len(found) > 30
    for target in found:
        place = document
        for part in target.split("/"):
            place = place[part]


def test_channel_tells_of_its_consumer(document: dict[str, Any]) -> None:
    """Its docstring, its parameters and their values."""
    channel = document["channels"]["Desk"]
    assert channel["description"] == "A desk to ask questions at.\n\nThere is one in each building."
    assert channel["parameters"] == {"building": {"description": "Matches north|south", "enum": ["north", "south"]}}
    assert "description" not in document["channels"]["Counter"]
    assert document["channels"]["Counter"]["parameters"]["pk"]["examples"] == ["1"]


def test_handler_is_an_operation_with_its_reply(document: dict[str, Any]) -> None:
    """Docstring and decorator say what it is for."""
    channel = {"$ref": "#/channels/Desk"}
    assert document["operations"]["Desk.ask"] == {
        "action": "receive",
        "channel": channel,
        "messages": [{"$ref": "#/channels/Desk/messages/AskMessage"}],
        "summary": "Take a question.",
        "description": "Empty ones are taken, too.",
        "tags": [{"name": "questions"}],
        "reply": {"channel": channel, "messages": [{"$ref": "#/channels/Desk/messages/TakenMessage"}]},
    }
    assert document["operations"]["Desk.is-there"]["summary"] == "Answers a ping"


def test_operations_are_those_of_the_consumers(document: dict[str, Any]) -> None:
    """What clients may send, and what they get: of handlers, to groups, beside, and of the framework."""
    found = {name: each["action"] for name, each in document["operations"].items()}
    assert found == {
        "Desk.ask": "receive",
        "Desk.is-there": "receive",
        "Desk.closing": "send",
        "Desk.group": "send",
        "Desk.authentication": "send",
        "Desk.error": "send",
        "Counter.receive_message": "receive",
        "Counter.emits": "send",
        "Counter.error": "send",
        "Counter.complete": "send",
    }


def test_events_are_not_in_the_document(document: dict[str, Any]) -> None:
    """Clients never see them."""
    assert "ClosingEvent" not in json.dumps(document)


def test_message_tells_of_its_model(document: dict[str, Any]) -> None:
    """Its docstring, its schema and an example that the model takes."""
    message = document["components"]["messages"]["AskMessage"]
    assert message["summary"] == "Asks a question."
    assert message["description"] == "Somebody will see to it."
    (example,) = message["examples"]
    assert desk.AskMessage.model_validate(example["payload"]).payload.answer_by == desk.Phone(number="+4930123456")


def test_action_is_required(document: dict[str, Any]) -> None:
    """Consumers tell messages apart by it, though models have a default."""
    assert document["components"]["schemas"]["AskMessage"]["required"] == ["action", "payload"]


def test_tuples_and_discriminators_are_as_asyncapi_has_them(document: dict[str, Any]) -> None:
    """Other drafts of JSON schema write them otherwise."""
    fields = document["components"]["schemas"]["Question"]["properties"]
    assert fields["place"]["items"] == [{"type": "integer"}, {"type": "string"}]
    assert fields["answer_by"]["discriminator"] == "kind"


def test_schemas_are_spelled_as_on_the_wire(routed: None) -> None:
    """The key of the action and the case of all keys are those of CHANNELS_TYPED."""
    with override_typed_settings(CAMELIZE=True, MESSAGE_ACTION_KEY="msg_type"):
        document = build_document(find_routes())
    schemas = document["components"]["schemas"]
    assert list(schemas["AskMessage"]["properties"]) == ["msgType", "payload"]
    assert list(schemas["Question"]["properties"]) == ["subjectLine", "answerBy", "place"]
    assert schemas["Question"]["required"] == ["subjectLine", "answerBy"]
    example = document["components"]["messages"]["AskMessage"]["examples"][0]["payload"]
    assert example["msgType"] == "ask"
    assert example["payload"]["subjectLine"] == "text"


def test_models_of_one_name_have_different_schemas() -> None:
    """Their modules tell them apart."""

    def make() -> type[TypedConsumer[Any]]:
        class AskMessage(desk.PingMessage):
            number: int = len(made)

        class Asked(TypedConsumer[AskMessage]):  # type: ignore[valid-type]
            def receive_message(self, message: Any, **kwargs: Any) -> None: ...

        made.append(Asked)
        return Asked

    made: list[Any] = []
    with apply_routes([desk.Desk.as_route(path="^/a/$"), make().as_route(path="^/b/$")]):
        document = build_document(find_routes())
    names = [name for name in document["components"]["schemas"] if name.endswith("AskMessage")]
    assert len(names) == 2


def test_server_is_that_of_the_settings(routed: None) -> None:
    """Or the one that is asked for, perhaps below a path."""
    with override_typed_settings(WEBSOCKET_BASE_URL="wss://example.com"):
        assert build_document(find_routes())["servers"] == {"site": {"host": "example.com", "protocol": "wss"}}
        server = build_document(find_routes(), base_url="ws://localhost:9000/live/")["servers"]["site"]
    assert server == {"host": "localhost:9000", "protocol": "ws", "pathname": "/live"}


@pytest.mark.parametrize("url", ["https://example.com", "example.com", "", "wss:///x"])
def test_address_of_a_page_is_refused_as_server(routed: None, url: str) -> None:
    """The error names it and says what one looks like."""
    with pytest.raises(ImproperlyConfigured, match=r"wss://example\.com"):
        build_document(find_routes(), base_url=url)


def test_info_is_that_of_the_settings(routed: None) -> None:
    """Empty texts are left out, what is required is not."""
    with override_typed_settings(ASYNCAPI_TITLE="Desk", ASYNCAPI_VERSION="2.1.0"):
        assert build_document(find_routes())["info"] == {"title": "Desk", "version": "2.1.0"}
        assert build_document(find_routes(), description="All of it.")["info"]["description"] == "All of it."


def test_path_without_an_address_is_described(routed: None) -> None:
    """By its regular expression."""
    with apply_routes([desk.Desk.as_route(path=r"^/(?:a|b)/$")]):
        channel = build_document(find_routes())["channels"]["Desk"]
    assert channel["address"] is None
    assert channel["description"].endswith("matches the regular expression /(?:a|b)/$")


def test_field_that_cannot_be_described_is_named() -> None:
    """By what pydantic says of it."""

    class Odd:
        """No type of JSON."""

    class OddPayload(BaseModel, arbitrary_types_allowed=True):
        odd: Odd

    class OddMessage(BaseMessage):
        action: Literal["odd"] = "odd"
        payload: OddPayload

    class Consumer(TypedConsumer[OddMessage]):
        permission_classes = ()

        def receive_message(self, message: OddMessage, **kwargs: Any) -> None: ...

    with apply_routes([Consumer.as_route(path="^/$")]):
        routes: list[TypedRoute] = find_routes()
    with pytest.raises(ImproperlyConfigured, match=r"Odd.*WithJsonSchema"):
        build_document(routes)


@pytest.mark.parametrize("spelling", [{}, {"CAMELIZE": True, "MESSAGE_ACTION_KEY": "type"}])
def test_documented_example_of_everything_gets_a_documented_answer(db: None, spelling: dict[str, Any]) -> None:
    """Fields of all kinds cross the socket as the schemas say, in both directions."""
    with apply_routes(everything.routes), override_typed_settings(**spelling):
        document = build_document(find_routes())
        (example,) = document["components"]["messages"]["TakeMessage"]["examples"]
        with WebsocketSession("/echo/") as socket:
            socket.receive_json()
            socket.send_json(example["payload"])
            answer = socket.receive_json()
    schema = {**document, "$ref": "#/components/schemas/GiveMessage"}
    jsonschema.Draft7Validator(schema).validate(answer)
    assert answer[spelling.get("MESSAGE_ACTION_KEY", "action")] == "give"


def test_aliases_are_those_of_the_wire(db: None) -> None:
    """Messages are read by the aliases of their fields, and written by their names."""

    class Parcel(BaseModel):
        weight: int = Field(alias="weightInGrams")

    class ParcelMessage(BaseMessage):
        action: Literal["parcel"] = "parcel"
        payload: Parcel

    class Scales(TypedConsumer):  # type: ignore[type-arg]
        permission_classes = ()

        @ws_handler(input_type=ParcelMessage, output_type=ParcelMessage)
        def weigh(self, message: Any) -> Any:
            return message

    with apply_routes([Scales.as_route(path="^/scales/$")]):
        document = build_document(find_routes())
        with WebsocketSession("/scales/") as socket:
            socket.receive_json()
            socket.send_json(document["components"]["messages"]["ParcelMessage-Input"]["examples"][0]["payload"])
            answer = socket.receive_json()
    schemas = document["components"]["schemas"]
    assert list(schemas["Parcel-Input"]["properties"]) == ["weightInGrams"]
    assert list(schemas["Parcel-Output"]["properties"]) == list(answer["payload"]) == ["weight"]


class Endless(BaseModel):
    """A model of which there is no instance."""

    next: "Endless"


def test_message_without_an_end_has_no_example() -> None:
    """The rest of the document is made."""

    class EndlessMessage(BaseMessage):
        action: Literal["endless"] = "endless"
        payload: Endless

    class Consumer(TypedConsumer[EndlessMessage]):
        permission_classes = ()

        def receive_message(self, message: EndlessMessage, **kwargs: Any) -> None: ...

    with apply_routes([Consumer.as_route(path="^/$")]):
        document = build_document(find_routes())
        (consumer,) = describe_consumers(find_routes())
    assert "examples" not in document["components"]["messages"]["EndlessMessage"]
    assert consumer["messages"][0]["draft"] == {"action": "endless"}


def test_unknown_form_is_named() -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="json or yaml, not as 'toml'"):
        write_document({}, "toml")


class Limits(BaseModel):
    """As wide as a model of pydantic may have them."""

    most: float = Field(float("inf"), le=float("inf"))
    others: list[float] = [1.5, float("nan")]


class LimitsMessage(BaseMessage):
    """Says how much is allowed."""

    action: Literal["limits"] = "limits"
    payload: Limits


def test_numbers_that_json_lacks_are_left_out() -> None:
    """Nobody could read the document, nor the page its messages."""

    class Limiting(TypedConsumer[LimitsMessage]):
        def receive_message(self, message: LimitsMessage, **kwargs: Any) -> None: ...

    def refuse(name: str) -> None:
        raise AssertionError(name)

    with apply_routes([Limiting.as_route()]):
        document = json.loads(write_document(build_document(find_routes())), parse_constant=refuse)
        json.loads(json.dumps(describe_consumers(find_routes())), parse_constant=refuse)
    fields = document["components"]["schemas"]["Limits"]["properties"]
    assert {"default", "maximum"}.isdisjoint(fields["most"])
    assert fields["others"]["default"] == [1.5, None]
