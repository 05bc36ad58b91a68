from channels.binding.websockets import WebsocketBinding, WebsocketBindingWithMembers

from .models import Item


class ItemBinding(WebsocketBinding):

    model = Item
    stream = "items"
    fields = ["shelf", "name", "count"]

    @classmethod
    def group_names(cls, instance):
        return ["shelf-%s" % instance.shelf]

    def has_permission(self, user, action, pk):
        return user.is_authenticated


class LowBinding(WebsocketBindingWithMembers):

    model = Item
    stream = "low"
    exclude = ["cost", "shelf"]
    send_members = ["is_low"]

    @classmethod
    def group_names(cls, instance):
        return ["low-stock"] if instance.is_low else []

    def has_permission(self, user, action, pk):
        return False
