from django.db import migrations, models


def take_away(_apps, editor):
    """Where 0019 still filled the column, it made the constraint too."""
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE campaigns_checkedlink DROP CONSTRAINT IF EXISTS checked_link_once")


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0021_fill_link_digests")]
    operations = [
        migrations.AlterField(
            model_name="checkedlink",
            name="url_digest",
            field=models.BinaryField(max_length=32, editable=False),
        ),
        migrations.RunPython(take_away, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name="checkedlink",
            constraint=models.UniqueConstraint(
                fields=("campaign", "url_digest"), name="checked_link_once"
            ),
        ),
    ]
