"""Personas in use get their number as key, so that a rule `persona = 2` goes on meaning the same.

Personas of runs no longer in use have no key: nobody knows which of today's they were.
"""

from django.db import migrations
from django.db.models import F


def give_keys(apps, schema_editor):
    alias = schema_editor.connection.alias
    Persona = apps.get_model("profiles", "Persona")
    ClusteringRun = apps.get_model("profiles", "ClusteringRun")
    current = ClusteringRun.objects.using(alias).filter(is_current=True)
    in_use = Persona.objects.using(alias).filter(run__in=current, key__isnull=True)
    in_use.update(key=F("number"))
    current.update(next_key=F("n_clusters") + 1)


class Migration(migrations.Migration):
    dependencies = [("profiles", "0024_personas_keep_their_key")]
    operations = [migrations.RunPython(give_keys, migrations.RunPython.noop, elidable=True)]
