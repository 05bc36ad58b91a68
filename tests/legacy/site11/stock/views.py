from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt

from .consumers import is_reminded, remind_later
from .models import Item


@csrf_exempt
def sell(request, pk):
    with transaction.atomic():
        item = get_object_or_404(Item, pk=pk)
        item.count -= int(request.POST["count"])
        item.save()
    if item.is_low and not is_reminded(item):
        remind_later(item)
    return HttpResponse("%d left" % item.count)
