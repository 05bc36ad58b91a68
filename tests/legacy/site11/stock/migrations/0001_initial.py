from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("shelf", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=50)),
                ("count", models.PositiveIntegerField(default=0)),
                ("cost", models.DecimalField(decimal_places=2, default=0, max_digits=6)),
            ],
        ),
    ]
