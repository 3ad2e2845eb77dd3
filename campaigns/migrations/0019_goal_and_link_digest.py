from django.db import migrations, models


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
            field=models.BinaryField(null=True, max_length=32, editable=False),
        ),
    ]
