import json

from channels import Channel, Group
from channels.delay.models import DelayedMessage

from .models import Item

REMIND_AFTER = 1000  # ms


def is_reminded(item):
    content = json.dumps({"pk": item.pk})
    return DelayedMessage.objects.filter(channel_name="stock.remind", content=content).exists()


def remind_later(item):
    Channel("asgi.delay").send({
        "channel": "stock.remind",
        "content": {"pk": item.pk},
        "delay": REMIND_AFTER,
    }, immediately=True)


def remind(message):
    item = Item.objects.filter(pk=message.content["pk"]).first()
    if item is None or not item.is_low:
        return
    frame = {"stream": "notes", "payload": {"order": item.name, "left": item.count}}
    Group("low-stock").send({"text": json.dumps(frame)})
    remind_later(item)
