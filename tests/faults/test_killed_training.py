"""Kill -9 in the middle of a training: the model that serves goes on serving, the next run ends it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import Installation, installation, kill, run, until

pytestmark = pytest.mark.slow

N_CUSTOMERS = 120
# After a training began; fewer times than a job has attempts.
SECONDS = (0.1, 0.8)
COMMAND = ("train_recommendations", "--as-of", "2026-03-02T09:00")
FILL = """
import django; django.setup()
from tests import make
from tests.recommendations import shops
make.shop()
shops.of_tastes()
"""
# Which run serves, to how many it has a list, and whether a visit is answered from it.
LOOK = """
import django; django.setup()
import json
from profiles.models import Customer
from recommendations import serving
from recommendations.models import CustomerListing, TrainingRun
run = TrainingRun.objects.active()
pk = Customer.objects.values_list("pk", flat=True).first()
served = serving.for_customer(pk, n=5, language="en")
print(json.dumps([run.pk, CustomerListing.objects.filter(run=run).count(), served.fallback]))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path) as made:
        made.migrate()
        run(made, FILL)
        done = made.manage(*COMMAND)
        assert done.returncode == 0, done.stderr
        yield made


def serving(shop: Installation) -> tuple[int, int, bool]:
    number, n_lists, is_filled = json.loads(run(shop, LOOK))
    return number, n_lists, is_filled


def n_begun(shop: Installation) -> int:
    """How often a training was begun or gone on with."""
    (told,) = shop.rows("SELECT sum(n_attempts) FROM jobs_job WHERE kind = 'recommendations.train'")
    return int(told[0] or 0)


def killed_after(seconds: float, shop: Installation) -> bool:
    """Train and kill it so long after its begin; whether it was still at work."""
    before, process = n_begun(shop), shop.start(*COMMAND)
    until(lambda: n_begun(shop) > before or process.poll() is not None, "the training")
    time.sleep(seconds)
    was_at_work = process.poll() is None
    kill(process)
    return was_at_work


def test_the_model_that_serves_outlives_every_training_that_is_killed(shop: Installation) -> None:
    serves = serving(shop)
    assert serves[1:] == (N_CUSTOMERS, False)
    n_killed = 0
    for seconds in SECONDS:
        if killed_after(seconds, shop):
            n_killed += 1
        else:  # it was done in time, so another one serves
            assert serving(shop)[0] > serves[0]
            serves = serving(shop)
        assert serving(shop) == (serves[0], N_CUSTOMERS, False)
    assert n_killed > 0

    done = shop.manage(*COMMAND)

    assert done.returncode == 0, done.stderr
    number, n_lists, is_filled = serving(shop)
    assert (number > serves[0], n_lists, is_filled) == (True, N_CUSTOMERS, False)
    assert shop.job("recommendations.train")[0] == "done"
    unfinished = "SELECT count(*) FROM recommendations_trainingrun WHERE finished_at IS NULL"
    assert shop.rows(unfinished) == [(0,)]
