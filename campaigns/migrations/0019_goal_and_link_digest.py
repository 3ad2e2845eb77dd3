from hashlib import sha256

from django.db import migrations, models


def fill(apps, _editor):
    rows = apps.get_model("campaigns", "CheckedLink").objects
    for pk, url in list(rows.values_list("pk", "url")):
        rows.filter(pk=pk).update(url_digest=sha256(url.encode()).digest())


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0018_fewer_indexes")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="goal",
            field=models.CharField(
                choices=[("sell", "Sell more"), ("bring_back", "Bring customers back"), ("inform", "Inform")],
                default="sell",
                help_text="What its report shows first: extra revenue for selling, buyers for bringing back, clicks for informing.",
                max_length=10,
                verbose_name="goal",
            ),
        ),
        migrations.RemoveConstraint(model_name="checkedlink", name="checked_link_once"),
        migrations.AddField(
            model_name="checkedlink",
            name="url_digest",
            field=models.BinaryField(default=b"", max_length=32, editable=False),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name="checkedlink",
            constraint=models.UniqueConstraint(
                fields=("campaign", "url_digest"), name="checked_link_once"
            ),
        ),
    ]
