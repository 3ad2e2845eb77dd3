from django.db import migrations, models

TABLES = ("customerlisting", "productlisting")
TYPES = {"products": "integer", "scores": "real", "reasons": "smallint", "bases": "integer"}


def forget_lists(apps, schema_editor):
    """Lists are made anew by the next training; until then no run serves."""
    alias = schema_editor.connection.alias
    for name in TABLES:
        apps.get_model("recommendations", name).objects.using(alias).all().delete()
    runs = apps.get_model("recommendations", "TrainingRun").objects.using(alias)
    runs.filter(is_active=True).update(is_active=False)


def make_arrays(apps, schema_editor):
    """Turn the new columns, still empty, into arrays where the database has them."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        for column, of in TYPES.items():
            schema_editor.execute(
                f"ALTER TABLE recommendations_{table} ALTER COLUMN {column}"
                f" TYPE {of}[] USING '{{}}'::{of}[]"
            )


def make_json(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        for column in TYPES:
            schema_editor.execute(
                f"ALTER TABLE recommendations_{table} ALTER COLUMN {column}"
                f" TYPE jsonb USING to_jsonb({column})"
            )


def columns():
    names = {"products": "products", "scores": "scores", "reasons": "reasons", "bases": "based on"}
    for table in TABLES:
        yield migrations.RemoveField(model_name=table, name="items")
        for column, words in names.items():
            yield migrations.AddField(
                model_name=table,
                name=column,
                field=models.JSONField(default=list, verbose_name=words),
            )


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0006_evidence")]

    operations = [
        migrations.RunPython(forget_lists, migrations.RunPython.noop, elidable=True),
        *columns(),
        migrations.RunPython(make_arrays, make_json),
    ]
