"""The access log: who opened or changed what of whom, when and why; the audit chain, readable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.views import ChangeList

from jobs import queue
from privacy import audit, checkpoints, registry
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.fields import sealed_fields
from privacy.models import AuditEntry, Staff, UseRule
from privacy.purpose_registry import REGISTRY

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

STAFF: Final = "staff"
SYSTEM: Final = "system"
# What an entry's code says; one that is not here is shown as it is.
ACTIONS: Final[dict[str, StrOrPromise]] = {
    "value.revealed": gettext_lazy("Opened values"),
    "purpose.opened": gettext_lazy("Began a use"),
    "reveal.refused": gettext_lazy("Wanted to open too much"),
    "export.downloaded": gettext_lazy("Fetched a person's copy"),
    "outbox.opened": gettext_lazy("Read a message of the outbox"),
    "campaign.tested": gettext_lazy("Sent a test of a campaign"),
    "purpose.changed": gettext_lazy("Changed a purpose"),
    "use_rule.added": gettext_lazy("Added a use rule"),
    "use_rule.changed": gettext_lazy("Changed a use rule"),
    "request.confirmed": gettext_lazy("A request was confirmed"),
    "request.begun": gettext_lazy("Began a request"),
    "request.extended": gettext_lazy("Extended a request"),
    "request.done": gettext_lazy("Answered a request"),
    "request.refused": gettext_lazy("Refused a request"),
    "request.lapsed": gettext_lazy("A request lapsed"),
    "subject.corrected": gettext_lazy("Corrected a person's data"),
    "subject.erasing": gettext_lazy("Began an erasure"),
    "subject.erased": gettext_lazy("Erased a person"),
    "subject.restricted": gettext_lazy("Restricted a person's data"),
    "subject.objected": gettext_lazy("Noted an objection"),
    "subject.no_profiling": gettext_lazy("Switched profiling of a person"),
    "api_key.made": gettext_lazy("Made an API key"),
    "api_key.rotated": gettext_lazy("Rotated an API key"),
    "api_key.revoked": gettext_lazy("Revoked an API key"),
    "identity_secret.rotated": gettext_lazy("Made a new identity secret"),
    "identity_secret.old_ended": gettext_lazy("Ended an old identity secret"),
    "suppression.added": gettext_lazy("Kept an address off"),
    "suppression.exported": gettext_lazy("Took the suppression list"),
    "suppression.lifted": gettext_lazy("Let an address be written to again"),
    "webhook.created": gettext_lazy("Made a webhook"),
    "webhook.changed": gettext_lazy("Changed a webhook"),
    "webhook.deleted": gettext_lazy("Deleted a webhook"),
    "webhook.rotated": gettext_lazy("Made a new secret of a webhook"),
    "webhook.old_secret_ended": gettext_lazy("Ended an old secret of a webhook"),
    "customer.merged": gettext_lazy("Made two records of a customer one"),
    "customer.separated": gettext_lazy("Took a merge back"),
    "scores.accept": gettext_lazy("Accepted scores"),
    "recommendations.activated": gettext_lazy("Let a run of recommendations serve"),
    "recommendations.stopped": gettext_lazy("Stopped a run of recommendations"),
    "fairness_rules.changed": gettext_lazy("Changed the fairness rules"),
    "recommendations.likely_nightly": gettext_lazy("Turned the nightly making of a list on or off"),
    "recommendations.inspected": gettext_lazy("Looked at why something is recommended"),
    "second_factor.set": gettext_lazy("Set up a second factor"),
    "second_factor.removed": gettext_lazy("Removed a second factor"),
    "second_factor.codes_renewed": gettext_lazy("Renewed recovery codes"),
}
ACTORS: Final[dict[str, StrOrPromise]] = {
    STAFF: gettext_lazy("Staff"),
    "key": gettext_lazy("API key"),
    "campaign": gettext_lazy("Campaign"),
    "upload": gettext_lazy("Import"),
    "job": gettext_lazy("Job"),
    "command": gettext_lazy("Command"),
    SYSTEM: gettext_lazy("Candor itself"),
}
SHORT: Final = 8


class AccessList(ChangeList):
    """A page of entries with the names of staff and the shop's ids of people, asked for once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        named(self.result_list)


def named(entries: list[Any]) -> None:
    """Put beside each entry whom it names: `actor_name`, and `people` as far as they are listed."""
    subjects = {UUID(one) for entry in entries for one in entry.subjects if ":" not in one}
    shop_ids = registry.names_by_subject(subjects)
    names = actors_in_words(entry.actor for entry in entries)
    for entry in entries:
        entry.actor_name = names[entry.actor]
        listed = [UUID(one) for one in entry.subjects if ":" not in one]
        entry.people = [shop_ids.get(one) or f"{str(one)[:SHORT]}…" for one in listed]


def actors_in_words(actors: Iterable[str]) -> dict[str, str]:
    """Return what each actor ("staff:1", "system:training") is called; asks once for all."""
    once = set(actors)
    numbers = [actor.partition(":")[2] for actor in once if _kind(actor) == STAFF]
    pks = {int(number) for number in numbers if number.isdecimal()}
    names = dict(Staff.objects.filter(pk__in=pks).values_list("pk", "username")) if pks else {}
    return {actor: actor_words(actor, names) for actor in once}


def actor_words(actor: str, names: dict[int, str]) -> str:
    kind, _colon, rest = actor.partition(":")
    if kind == SYSTEM:
        return str(ACTORS[kind])
    if kind == STAFF and rest.isdecimal() and int(rest) in names:
        return names[int(rest)]
    return f"{ACTORS.get(kind, kind)} {rest[:SHORT]}".strip()


def _kind(actor: str) -> str:
    return actor.partition(":")[0]


class StaffFilter(admin.SimpleListFilter):
    title = gettext_lazy("Staff")
    parameter_name = "staff"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        people = Staff.objects.order_by("username").values_list("pk", "username")
        return [(str(pk), name) for pk, name in people]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        return queryset.filter(actor=f"{STAFF}:{self.value()}") if self.value() else queryset


class PurposeFilter(admin.SimpleListFilter):
    title = gettext_lazy("Purpose")
    parameter_name = "purpose"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        return [(name, str(found.label)) for name, found in REGISTRY.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        return queryset.filter(purpose=self.value()) if self.value() else queryset


class DataClassFilter(admin.SimpleListFilter):
    title = gettext_lazy("Data class")
    parameter_name = "class"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        known = UseRule.DataClass.sealed()
        return [(name, str(UseRule.DataClass(name).label)) for name in known]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[AuditEntry]) -> Any:
        if not self.value():
            return queryset
        wanted = [f'"{name}"' for name, found in columns().items() if found == self.value()]
        if self.value() == UseRule.DataClass.FILE:
            wanted.append('"file.')
        matches = Q(pk__in=[])
        for text in wanted:
            matches |= Q(said__contains=text)
        return queryset.annotate(said=Cast("fields", TextField())).filter(matches)


def columns() -> dict[str, str]:
    """The data class of each sealed column, by the label under which the log names it."""
    return {
        field.column_label: field.data_class
        for holding in registry.holdings()
        for field in sealed_fields(holding.model)
    }


@admin.register(AuditEntry)
class AuditEntryAdmin(ViewOnlyAdmin[AuditEntry]):
    list_display = ["at", "who", "what", "whom", "opened", "use", "outcome", "reason"]
    list_filter = [StaffFilter, PurposeFilter, DataClassFilter, "outcome", "at"]
    date_hierarchy = "at"
    search_fields = ["pk"]
    search_help_text = gettext_lazy(
        "Exact customer id. An entry on more than 50 people names none of them."
    )
    fields = ["at", "actor", "action", "purpose", "n_subjects", "subjects", "fields", "reason"]
    ordering = ["-pk"]
    show_full_result_count = False
    list_before_template = "privacy/admin/audit_head.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AccessList]:
        return AccessList

    @admin.display(description=gettext_lazy("Who"), ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return str(getattr(entry, "actor_name", entry.actor))

    @admin.display(description=gettext_lazy("What was done"), ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return str(ACTIONS.get(entry.action, entry.action))

    @admin.display(description=gettext_lazy("Whose data"))
    def whom(self, entry: AuditEntry) -> str:
        people: list[str] = getattr(entry, "people", [])
        if len(people) == 1:
            return people[0]
        return _("%(n)d persons") % {"n": entry.n_subjects} if entry.n_subjects else ""

    @admin.display(description=gettext_lazy("Data"))
    def opened(self, entry: AuditEntry) -> str:
        classes = columns()
        found = {classes.get(name, name.partition(".")[0]) for name in entry.fields}
        known = UseRule.DataClass.values
        return ", ".join(
            sorted(str(UseRule.DataClass(one).label) if one in known else one for one in found)
        )

    @admin.display(description=gettext_lazy("Purpose"), ordering="purpose")
    def use(self, entry: AuditEntry) -> str:
        found = REGISTRY.get(entry.purpose)
        return str(found.label) if found else entry.purpose

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        matches = Q(pk__in=[])
        for subject in registry.subjects_called(term):
            matches |= Q(listed__contains=str(subject))
        return queryset.annotate(listed=Cast("subjects", TextField())).filter(matches), False

    def get_urls(self) -> list[URLPattern]:
        verify = self.admin_site.admin_view(verify_action)
        return [path("verify/", verify, name="privacy_auditentry_verify"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"head": head(), **(extra_context or {})})


def head() -> dict[str, Any]:
    """What is known of the chain: its end, what is signed, what the last verification found."""
    last = AuditEntry.objects.order_by("-pk").first()
    verdict, verified_at = checkpoints.last_verdict() or (None, None)
    fault = checkpoints.explain(verdict.fault, verdict.entry) if verdict and verdict.fault else ""
    return {
        "last": last,
        "hash": bytes(last.hash).hex() if last else "",
        "signed": checkpoints.last(),
        "is_guarded": audit.is_guarded(),
        "verdict": verdict,
        "verified_at": verified_at,
        "fault": fault,
    }


@require_POST
def verify_action(request: HttpRequest) -> HttpResponse:
    """Have every entry checked now, by a job."""
    if request.user.has_perm("privacy.view_auditentry"):
        _verify(timezone.now())
        messages.success(request, _("Every entry is being checked; the result will stand here."))
    return redirect("admin:privacy_auditentry_changelist")


def _verify(now: datetime) -> None:
    queue.enqueue(checkpoints.JOB, {}, now=now, unique_key=checkpoints.JOB)
