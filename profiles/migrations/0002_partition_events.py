from django.db import migrations

# 0001 has just made the table plain and empty; PostgreSQL gets it again in monthly partitions.
# The primary key must hold the partition key there, and a serial default stands in for the
# identity column, which partitioned tables have only since PostgreSQL 17.
PARTITIONED = """
ALTER TABLE profiles_event RENAME TO profiles_event_plain;
CREATE SEQUENCE profiles_event_number;
CREATE TABLE profiles_event (LIKE profiles_event_plain) PARTITION BY RANGE (happened_at);
ALTER TABLE profiles_event ALTER COLUMN id SET DEFAULT nextval('profiles_event_number');
ALTER SEQUENCE profiles_event_number OWNED BY profiles_event.id;
DROP TABLE profiles_event_plain;
ALTER TABLE profiles_event ADD PRIMARY KEY (id, happened_at);
ALTER TABLE profiles_event ADD CONSTRAINT event_customer FOREIGN KEY (customer_id)
    REFERENCES profiles_customer (id) DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX event_of_customer ON profiles_event (customer_id, happened_at);
CREATE INDEX event_of_stranger ON profiles_event (anonymous_id) WHERE customer_id IS NULL;
CREATE INDEX event_by_time ON profiles_event USING brin (happened_at);
CREATE TABLE profiles_event_default PARTITION OF profiles_event DEFAULT;
"""


def partition(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(PARTITIONED)


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_initial")]
    operations = [migrations.RunPython(partition, migrations.RunPython.noop)]
