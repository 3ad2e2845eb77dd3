from django.db import migrations, models

TABLES = ("customerlisting", "productlisting")
AT_ONCE = 500
TYPES = {"products": "integer", "scores": "real", "reasons": "smallint", "bases": "integer"}


# As `recommendations.lists` numbers them.
REASONS = (
    "because_you_bought", "because_you_looked", "bought_together", "popular_this_month", "popular",
    "fits_what_you_own", "you_bought_it", "you_looked_at_it", "trending", "new", "picked",
)  # fmt: skip
N_BASES = 2


def pack_lists(apps, schema_editor):
    """Lists that serve go on serving; a product that left the catalogue leaves them."""
    alias = schema_editor.connection.alias
    products = apps.get_model("recommendations", "Product").objects.using(alias)
    keys = dict(products.values_list("product_id", "pk"))
    for name in TABLES:
        rows = apps.get_model("recommendations", name).objects.using(alias)
        last = 0
        while some := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
            for row in some:
                pack(row, keys)
            rows.bulk_update(some, list(TYPES))
            last = some[-1].pk


def pack(row, keys):
    known = [item for item in row.items if item[0] in keys and item[2] in REASONS]
    row.products = [keys[product] for product, *_rest in known]
    row.scores = [score for _product, score, *_rest in known]
    row.reasons = [REASONS.index(reason) for _product, _score, reason, _bases in known]
    row.bases = []
    for *_rest, based_on in known:
        there = [keys[product] for product in based_on if product in keys][:N_BASES]
        row.bases += there + [0] * (N_BASES - len(there))


def make_arrays(apps, schema_editor):
    """Turn the new columns into arrays where the database has them."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in TABLES:
        for column, of in TYPES.items():
            schema_editor.execute(
                f"ALTER TABLE recommendations_{table} ALTER COLUMN {column}"
                f" TYPE {of}[] USING translate({column}::text, '[]', '{{}}')::{of}[]"
            )


def forget_lists(apps, schema_editor):
    """Older code has lists made anew; until its next training nothing serves."""
    alias = schema_editor.connection.alias
    for name in TABLES:
        apps.get_model("recommendations", name).objects.using(alias).all().delete()
    runs = apps.get_model("recommendations", "TrainingRun").objects.using(alias)
    runs.filter(is_active=True).update(is_active=False)
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
        for column, words in names.items():
            yield migrations.AddField(
                model_name=table,
                name=column,
                field=models.JSONField(default=list, verbose_name=words),
            )


class Migration(migrations.Migration):
    dependencies = [("recommendations", "0006_evidence")]

    operations = [
        *columns(),
        migrations.RunPython(pack_lists, migrations.RunPython.noop, elidable=True),
        *(migrations.RemoveField(model_name=table, name="items") for table in TABLES),
        migrations.RunPython(make_arrays, forget_lists),
    ]
