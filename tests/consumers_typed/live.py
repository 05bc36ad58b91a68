"""What the live server of these tests serves: the chat, and consumers that refuse or tell what they were sent."""

from channels.typed import DjangoAuthenticator, IsAuthenticated
from tests.consumers_typed.rooms import Answer, ChatConsumer

OPEN = {"authentication_classes": []}
GUARDED = {"authenticator_class": DjangoAuthenticator, "permission_classes": [IsAuthenticated]}


class Welcome(ChatConsumer):
    """Tells clients what they sent when they are admitted."""

    authentication_classes = []

    def post_authentication(self) -> None:
        sent = self.request
        self.send_message(Answer(payload=[sent.COOKIES, sent.headers.get("x-test"), self.message["subprotocols"]]))


routing = [
    ChatConsumer.as_route(OPEN, path=r"^/chat/(?P<room>\w+)/$"),
    Welcome.as_route(path="^/welcome/$"),
    ChatConsumer.as_route(GUARDED, path="^/guarded/$"),
    ChatConsumer.as_route({**GUARDED, "refuse_before_open": True}, path="^/refused/$"),
]
