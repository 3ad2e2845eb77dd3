"""The SQL twins of the assignment agree with the vector file on the database in use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import TextField, Value

from campaigns import planning
from privacy.models import Subject

VECTORS = json.loads(
    (Path(__file__).parent / "data" / "assignment_vectors.json").read_text("utf-8")
)


@pytest.mark.django_db
@pytest.mark.parametrize("vector", VECTORS["buckets"], ids=lambda vector: str(vector["unit"]))
def test_bucket_in_sql_is_that_of_the_vector_file(vector: dict[str, str | int]) -> None:
    planning.prepare()
    Subject.objects.create()
    salt, unit = (Value(vector[name], output_field=TextField()) for name in ("salt", "unit"))

    found = Subject.objects.annotate(bucket=planning.Bucket(salt, unit)).values_list("bucket")

    assert found.get() == (vector["bucket"],), connection.vendor
