"""What pages are told about cards, and what they may do to them."""

from typing import Any

from channels.binding.websockets import WebsocketBindingWithMembers

from .groups import board_group
from .models import Card


class CardBinding(WebsocketBindingWithMembers):
    """The stream ``cards``: every change of a card, to the pages of the board that it is on.

    A card that moves to another board is deleted for the pages of the first and created for those of the second.
    """

    model = Card
    stream = "cards"
    fields = ("board", "column", "text")
    send_members = ("owner_name",)

    @classmethod
    def group_names(cls, instance: Card) -> list[str]:
        """Tell the pages of its board."""
        return [board_group(instance.board_id)]

    def has_permission(self, user: Any, action: str, pk: Any) -> bool:
        """Everybody who is signed in writes cards; owners change and delete theirs."""
        if action == "create":
            return bool(user.is_authenticated)
        return Card.objects.filter(pk=pk, owner_id=user.pk).exists()

    def make_instance(self) -> Card:
        """Give a new card its owner, whatever the page says."""
        return Card(owner=self.user)

    @classmethod
    def describe(cls, card: Card) -> dict[str, Any]:
        """Return a card in the very form in which changes are sent, for pages that have just connected."""
        return cls().serialize(card, "create")
