from django.db import migrations, models

# Ids and names of events are told apart and sorted by their bytes: the order of a language costs
# each of them a multiple of that, and no page shows it.
BYTEWISE = """
ALTER TABLE profiles_event ALTER COLUMN name TYPE varchar(200) COLLATE "C";
ALTER TABLE profiles_event ALTER COLUMN message_id TYPE varchar(100) COLLATE "C";
ALTER TABLE profiles_eventkey ALTER COLUMN message_id TYPE varchar(100) COLLATE "C";
"""


def compare_bytewise(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BYTEWISE)


class Migration(migrations.Migration):
    dependencies = [("profiles", "0033_refunds_of_files_beyond")]
    operations = [
        migrations.RunPython(compare_bytewise, migrations.RunPython.noop),
    ]
