"""Whatever happens in whatever order, nobody is used without a valid basis at that moment.

A model in memory keeps what each person said and asked for; beside it the real verbs run. After
every step the audience of each purpose must be the model's, and of every message that goes out,
planned before or not, the reader must be in it. The suite takes few steps; the slow run is

    LAWFUL_STEPS=100000 python -m pytest -s tests/privacy/test_lawful_use.py
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from campaigns import approvals, delivery
from privacy import consent, opt_in, preferences, rights, suppression, tokens
from privacy.consent import Declaration
from privacy.fields import reveal_columns
from privacy.models import PurposeRecord, Subject
from privacy.purposes import PurposeDeniedError, purpose
from privacy.rights import Right
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray
from tests.make import NOW
from tests.privacy.persons import erase

STEPS = int(os.environ.get("LAWFUL_STEPS", "200"))
STEPS_A_LIFE = 50
N_PERSONS = 3
MAIL, EXISTING, ONSITE = "campaign.email", "campaign.email.existing", "campaign.onsite"
PROFILE, RECOMMEND = "profile.build", "recommend"
PURPOSES = (MAIL, EXISTING, ONSITE, PROFILE, RECOMMEND)
MARKETING = {MAIL, EXISTING, ONSITE}
taken: Counter[str] = Counter()

whose = st.integers(0, N_PERSONS - 1)
mailed = st.sampled_from([MAIL, EXISTING])
ago = st.integers(0, 5)


@dataclass
class Said:
    """One declaration of the ledger."""

    purpose: str
    state: str
    at: datetime
    batch: UUID | None = None


@dataclass
class Person:
    """What one person said, asked for and is, as the model knows it."""

    customer: Customer
    is_minor: bool
    bought: bool
    said: list[Said] = field(default_factory=list)
    on: set[Right] = field(default_factory=set)
    suppressed: set[str] = field(default_factory=set)
    erased: bool = False

    def state(self, name: str) -> str | None:
        mine = [(one.at, one.state) for one in self.said if one.purpose == name]
        return max(mine)[1] if mine else None  # "withdrawn" is last in the alphabet too

    def may_be_used(self, name: str) -> bool:
        if self.erased or Right.RESTRICTION in self.on:
            return False
        if name in MARKETING and (Right.OBJECTION in self.on or self.is_minor):
            return False
        if name == RECOMMEND and self.is_minor:
            return False
        if name in {PROFILE, RECOMMEND}:
            return Right.NO_PROFILING not in self.on
        return name == ONSITE or (not self.suppressed and self._agreed(name))

    def _agreed(self, name: str) -> bool:
        if name == MAIL:
            return self.state(MAIL) == "given"
        refused = "withdrawn" in {self.state(MAIL), self.state(EXISTING)}
        return self.bought and not refused and self.state(EXISTING) in {"given", "informed"}


class Lives(RuleBasedStateMachine):
    """Some persons, what they do and what is done to them."""

    @initialize(young=whose)
    def begin(self, young: int) -> None:
        Subject.objects.update(restricted=True)  # those of earlier lives are out of the way
        PurposeRecord.objects.all().delete()
        self.now = NOW
        self.ended: set[str] = set()
        self.asked: list[tuple[Person, str, datetime]] = []
        self.persons = [self._born(number, number == young) for number in range(N_PERSONS)]

    def _born(self, number: int, is_minor: bool) -> Person:  # noqa: FBT001
        subject = make.subject(minor_until=date(2999, 1, 1) if is_minor else None)
        name = uuid4().hex
        customer = make.customer(name, of=subject, email=f"{name}@example.com")
        if bought := number % 2 == 0:
            make.order(customer, ("p", "c", 1, 100), number=name)
        born = Person(customer, is_minor, bought)
        born.said = [Said(MAIL, "given", NOW), Said(EXISTING, "informed", NOW)]
        consent.record_many(
            [
                Declaration(subject.uuid, one.purpose, "email", one.state, "Text.", "form", NOW)
                for one in born.said
            ],
            now=NOW,
        )
        return born

    def _tick(self, what: str) -> datetime:
        taken[what] += 1
        self.now += timedelta(minutes=1)
        return self.now

    def _one(self, number: int) -> Person | None:
        person = self.persons[number]
        return None if person.erased else person

    @rule(number=whose, name=mailed, state=st.sampled_from(["given", "informed", "withdrawn"]),
          days=ago, in_batch=st.booleans())  # fmt: skip
    def declare(self, number: int, name: str, state: str, days: int, *, in_batch: bool) -> None:
        now = self._tick("declare")
        person = self._one(number)
        if person is None or (name == MAIL and state == "informed"):
            return
        batch = uuid4() if in_batch else None
        at = now - timedelta(days=days)
        facts = (person.customer.subject_id, name, "email", state, "Text.", "form", at)
        if consent.record_many([Declaration(*facts, batch=batch)], now=now):
            person.said.append(Said(name, state, at, batch))

    @rule(number=whose)
    def take_an_import_back(self, number: int) -> None:
        now = self._tick("take back")
        person = self._one(number)
        batches = [one for one in person.said if one.batch] if person else []
        if person and batches:
            consent.retract(batches[-1].batch or uuid4(), source="undo", now=now)
            person.said.remove(batches[-1])

    @rule(number=whose)
    def ask_to_opt_in(self, number: int) -> None:
        now = self._tick("ask")
        if person := self._one(number):
            text = {"wording": "Yes.", "source": "form"}
            asked = opt_in.ask(person.customer.subject, MAIL, "email", now=now, **text)
            self.asked.append((person, tokens.token(opt_in.USE, asked.uuid), now))

    @rule()
    def confirm(self) -> None:
        now = self._tick("confirm")
        if not self.asked:
            return
        person, token, asked_at = self.asked.pop()
        last = max((one.at for one in person.said if one.purpose == MAIL), default=NOW)
        void = person.erased or (person.state(MAIL) == "withdrawn" and last >= asked_at)
        assert (opt_in.confirm(token, now=now) is None) == void
        if not void:
            person.said.append(Said(MAIL, "given", now))
            person.suppressed.discard("unsubscribed")

    @rule(number=whose, on=st.booleans())
    def choose(self, number: int, *, on: bool) -> None:
        now = self._tick("choose")
        if person := self._one(number):
            said: dict[str, Any] = {"on": on, "wording": "x", "locale": "en", "now": now}
            preferences.choose(person.customer.subject, MAIL, "email", **said)
            person.said.append(Said(MAIL, "given" if on else "withdrawn", now))
            if on:
                person.suppressed.discard("unsubscribed")

    @rule(number=whose, right=st.sampled_from(Right), on=st.booleans())
    def switch(self, number: int, right: Right, *, on: bool) -> None:
        now = self._tick(f"switch {right}")
        if person := self._one(number):
            rights.switch(person.customer.subject, right, on=on, actor="test", now=now)
            (person.on.add if on else person.on.discard)(right)

    @rule(number=whose, reason=st.sampled_from(["unsubscribed", "bounced"]))
    def suppress(self, number: int, reason: str) -> None:
        now = self._tick("suppress")
        if person := self._one(number):
            address = f"{person.customer.external_id}@example.com"
            suppression.suppress("email", address, reason=reason, now=now)
            if not person.suppressed:  # the first reason stays
                person.suppressed.add(reason)

    @rule(name=st.sampled_from(PURPOSES), ends=st.booleans())
    def end_or_renew_a_purpose(self, name: str, *, ends: bool) -> None:
        self._tick("end a purpose")
        last = date(2020, 1, 1) if ends else None
        PurposeRecord.objects.update_or_create(name=name, defaults={"valid_until": last})
        (self.ended.add if ends else self.ended.discard)(name)

    @rule(number=whose, sure=st.integers(0, 9))
    def be_erased(self, number: int, sure: int) -> None:
        self._tick("erase")
        person = self._one(number)
        if person and sure == 0:
            erase(person.customer)
            person.erased = True

    @rule(name=mailed)
    def launch(self, name: str) -> None:
        now = self._tick("launch")
        made = make.written_campaign(uuid4().hex, purpose=name)
        delivery.plan(made, now)
        approvals.launch(made)

    @rule(name=mailed)
    def launch_and_send(self, name: str) -> None:
        self.launch(name)
        self.send()

    @rule()
    def send(self) -> None:
        """What was planned, in whatever world, goes out into this one."""
        now, tray = self._tick("send"), Tray()
        try:
            delivery.send_due(now, channel=tray)
        except PurposeDeniedError:
            assert self.ended & MARKETING
        reachable = {
            f"{one.customer.external_id}@example.com"
            for one in self.persons
            if any(self._lawful(one, name) for name in (MAIL, EXISTING))
        }
        assert set(tray.recipients) <= reachable
        taken["messages"] += len(tray.recipients)

    @rule(number=whose, name=st.sampled_from(PURPOSES))
    def open(self, number: int, name: str) -> None:
        """Nobody opens what a purpose does not cover, or for one that has ended."""
        now = self._tick("open")
        mine = Customer.objects.for_purpose(name).filter(pk=self.persons[number].customer.pk)
        try:
            with purpose(name, actor="job:1", now=now):
                with pytest.raises(PurposeDeniedError):
                    reveal_columns(Customer.objects.all(), ["email"], name)
                values = reveal_columns(mine, ["email"], name)
        except PurposeDeniedError:
            assert name in self.ended or name not in {MAIL, EXISTING}
        else:
            assert name in {MAIL, EXISTING}
            assert not values or self._lawful(self.persons[number], name)

    def _lawful(self, person: Person, name: str) -> bool:
        return name not in self.ended and person.may_be_used(name)

    @invariant()
    def audiences_are_the_models(self) -> None:
        if not hasattr(self, "persons"):
            return
        pks = [person.customer.pk for person in self.persons if not person.erased]
        for name in PURPOSES:
            found = Customer.objects.for_purpose(name).filter(pk__in=pks)
            lawful = {p.customer.pk for p in self.persons if self._lawful(p, name)}
            assert set(found.values_list("pk", flat=True)) == lawful, name


@pytest.mark.django_db
def test_no_use_without_a_valid_basis(capsys: pytest.CaptureFixture[str]) -> None:
    taken.clear()
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=max(8, 3 * STEPS // STEPS_A_LIFE // 2),  # some lives are short
            stateful_step_count=STEPS_A_LIFE,
            deadline=None,
            derandomize=STEPS < 1_000,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    n_messages = taken.pop("messages", 0)
    with capsys.disabled():
        told: Any = ", ".join(f"{n} {what}" for what, n in sorted(taken.items()))
        print(f"\n{sum(taken.values()):,} steps, {n_messages:,} messages: {told}")  # noqa: T201
    assert n_messages
    assert sum(taken.values()) >= STEPS
