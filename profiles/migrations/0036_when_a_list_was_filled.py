from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0035_carts_change_in_place")]
    operations = [
        migrations.AddField(
            model_name="staticlist",
            name="filled_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="last filled"),
        ),
    ]
