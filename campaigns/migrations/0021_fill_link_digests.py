"""Fills what checked links are found by: small batches, each by itself, so that none waits for all."""

from hashlib import sha256

from django.db import migrations

BATCH = 500


def fill(apps, editor):
    rows = apps.get_model("campaigns", "CheckedLink").objects.using(editor.connection.alias)
    blank = rows.filter(url_digest__isnull=True).order_by("pk")
    while some := list(blank[:BATCH]):
        for row in some:
            row.url_digest = sha256(row.url.encode()).digest()
        rows.bulk_update(some, ["url_digest"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("campaigns", "0020_links_in_texts")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
