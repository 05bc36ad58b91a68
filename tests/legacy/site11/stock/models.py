from django.db import models


class Item(models.Model):
    shelf = models.CharField(max_length=20)
    name = models.CharField(max_length=50)
    count = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=6, decimal_places=2, default=0)

    @property
    def is_low(self):
        return self.count < 3
