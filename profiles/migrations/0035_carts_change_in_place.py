from django.db import migrations, models

# Room on each page for what changes, else a changed row moves and every index hears of it.
ROOM = """
ALTER TABLE profiles_cart SET (fillfactor = 60);
ALTER TABLE profiles_cartline SET (fillfactor = 60);
"""


def leave_room(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(ROOM)


class Migration(migrations.Migration):
    dependencies = [("profiles", "0034_names_compare_bytewise")]
    operations = [
        migrations.RemoveIndex(model_name="cart", name="cart_of_customer"),
        migrations.RemoveIndex(model_name="cart", name="cart_of_visitor"),
        migrations.RemoveIndex(model_name="cart", name="cart_by_state"),
        migrations.AddIndex(
            model_name="cart", index=models.Index(fields=["customer"], name="cart_of_customer")
        ),
        migrations.AddIndex(
            model_name="cart",
            index=models.Index(
                fields=["anonymous_id"],
                name="cart_of_visitor",
                condition=models.Q(("anonymous_id", ""), _negated=True),
            ),
        ),
        migrations.AddIndex(
            model_name="cart", index=models.Index(fields=["state"], name="cart_by_state")
        ),
        migrations.RunPython(leave_room, migrations.RunPython.noop),
    ]
