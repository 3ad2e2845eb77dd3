import json

import django.db.models.deletion
from django.db import migrations, models

BATCH = 1_000
OLD = (
    "message_id",
    "kind",
    "name",
    "customer_ref",
    "previous_ref",
    "anonymous_id",
    "product_id",
    "properties",
    "context",
    "happened_at",
)
# A parcel is JSON of a request: compressing it costs more than it saves. The customers of events
# are held by the merge, at once for all of a batch, and message ids are forgotten by whole days.
LEANER = """
ALTER TABLE profiles_eventstaging ALTER COLUMN events SET STORAGE EXTERNAL;
ALTER TABLE profiles_event DROP CONSTRAINT IF EXISTS event_customer;
DROP INDEX IF EXISTS event_key_by_age;
CREATE INDEX event_key_by_age ON profiles_eventkey USING brin (seen_at);
"""


def pack(apps, schema_editor, batch=BATCH):
    """What waits goes on waiting: each event in a parcel of its own."""
    EventStaging = apps.get_model("profiles", "EventStaging")
    waiting = EventStaging.objects.using(schema_editor.connection.alias).filter(n_events=0)
    while rows := list(waiting.order_by("pk")[:batch]):
        for row in rows:
            event = [
                row.kind, row.message_id, row.name, row.customer_ref, row.previous_ref,
                row.anonymous_id, row.product_id, row.happened_at.isoformat(), row.properties, 0,
            ]  # fmt: skip
            row.n_events, row.events = 1, json.dumps([[row.context], [event]])
        EventStaging.objects.using(schema_editor.connection.alias).bulk_update(
            rows, ["n_events", "events"]
        )


def make_leaner(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(LEANER)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("profiles", "0029_events_are_counted_clean")]
    operations = [
        migrations.AddField(
            model_name="eventstaging",
            name="n_events",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="eventstaging", name="events", field=models.TextField(default="")
        ),
        migrations.RunPython(pack, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="eventstaging", name="n_events", field=models.PositiveIntegerField()
        ),
        migrations.AlterField(
            model_name="eventstaging", name="events", field=models.TextField()
        ),
        *(migrations.RemoveField(model_name="eventstaging", name=name) for name in OLD),
        migrations.AlterField(
            model_name="cart",
            name="source",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="privacy.source",
            ),
        ),
        migrations.RunPython(make_leaner, migrations.RunPython.noop),
    ]
