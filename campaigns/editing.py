"""A message while somebody writes it: checked, compiled, kept with all its versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import block_words, writing
from campaigns.models import Template, TemplateVersion
from campaigns.rendering import block_list, blocks, comparing, markup
from campaigns.rendering.content import Frame, Source
from campaigns.rendering.faults import TemplateError
from privacy.problems import DomainError, Fault

if TYPE_CHECKING:
    from datetime import datetime

    from privacy.models import Staff

CONTENT = ("subject", "blocks", "mjml", "body_html", "body_text")
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody typed, not kept yet: blocks, or MJML, or HTML."""

    subject: str
    blocks: Sequence[Mapping[str, Any]] = ()
    mjml: str = ""
    body_html: str = ""
    body_text: str = ""

    @classmethod
    def of(cls, kept: Template | TemplateVersion) -> Draft:
        return cls(**{name: getattr(kept, name) for name in CONTENT})

    @property
    def form(self) -> str:
        """`blocks`, `mjml` or `html`: what it is written in."""
        if self.blocks:
            return "blocks"
        return "mjml" if self.mjml.strip() else "html"


def source(draft: Draft, locale: str) -> Source:
    """Return the Liquid of a draft as it would go out; raises TemplateError."""
    html = draft.body_html
    if draft.form == "blocks":
        html = writing.html_of(draft.blocks, writing.brand(), locale)
    elif draft.form == "mjml":
        html = markup.to_html(draft.mjml)
    return Source(locale, draft.subject, markup.sanitised(html), draft.body_text)


def whole(draft: Draft, locale: str) -> Draft:
    """Return a draft without the blocks that are not filled in yet, to look at the others."""
    kept = []
    for block in draft.blocks:
        try:
            blocks.compiled([block], blocks.Brand(), language=locale)
        except TemplateError:
            continue
        kept.append(block)
    return replace(draft, blocks=kept)


def faults(draft: Draft, frame: Frame, facts: Mapping[str, object]) -> list[Fault]:
    """Return what keeps a draft from being kept; a fault points at its field.

    `/subject`, `/body_text`, `/mjml`, `/body_html`, or `/blocks/2/link` for the third block.
    """
    found = list(_line_faults("subject", draft.subject, frame, facts))
    if draft.body_text.strip():
        found += _line_faults("body_text", draft.body_text, frame, facts)
    if not draft.subject.strip():
        found.append(Fault("required", _("Write the subject line."), "/subject"))
    elif len(draft.subject) > LONGEST_SUBJECT:
        told = _("The subject line is longer than %(n)d characters.") % {"n": LONGEST_SUBJECT}
        found.append(Fault("too_long", told, "/subject"))
    if draft.form == "blocks":
        return [*found, *_block_faults(draft.blocks, frame, facts)]
    field = "mjml" if draft.form == "mjml" else "body_html"
    if not (draft.mjml if field == "mjml" else draft.body_html).strip():
        told = _("The message is empty: add a block, or begin from a starter.")
        return [*found, Fault("required", told, f"/{field}")]
    try:
        # As it is written, so that a line is the line that its writer sees.
        written = draft.mjml if field == "mjml" else markup.sanitised(draft.body_html)
        writing.check(Source(frame.language, "-", written), frame, facts)
        source(replace(draft, subject="-", body_text=""), frame.language)
    except TemplateError as error:
        found.append(Fault(error.code, writing.explain(error), f"/{field}"))
    return found


def _line_faults(
    field: str, text: str, frame: Frame, facts: Mapping[str, object]
) -> Iterator[Fault]:
    try:
        writing.check(Source(frame.language, text, "-"), frame, facts)
    except TemplateError as error:
        yield Fault(error.code, writing.explain(error), f"/{field}")


def _block_faults(
    message: Sequence[Mapping[str, Any]], frame: Frame, facts: Mapping[str, object]
) -> Iterator[Fault]:
    """The faults of each block by itself, so that its form can show them."""
    if len(message) > blocks.MAX_BLOCKS:
        error = TemplateError("too_many_blocks", str(blocks.MAX_BLOCKS))
        yield Fault(error.code, writing.explain(error), "/blocks")
        return
    for at, block in enumerate(message):
        kind = str(block.get("type", ""))
        broken = False
        for name, value in block.items():
            if name != "type" and "{" in str(value):
                for fault in _line_faults(f"blocks/{at}/{name}", str(value), frame, facts):
                    broken = True
                    yield fault
        if broken:
            continue
        try:
            html = writing.html_of([block], blocks.Brand(), frame.language)
            writing.check(Source(frame.language, "-", html), frame, facts)
        except TemplateError as error:
            yield _of_block(error, at, kind)


def _of_block(error: TemplateError, at: int, kind: str) -> Fault:
    names = {field.name for field in blocks.FIELDS.get(kind, ())}
    about = str(block_words.field(kind, error.about)[0]) if error.about in names else error.about
    told = writing.explain(TemplateError(error.code, about))
    pointer = f"/blocks/{at}/{error.about}" if error.about in names else f"/blocks/{at}"
    return Fault(error.code, told, pointer)


@transaction.atomic
def save(
    template: Template,
    draft: Draft,
    *,
    frame: Frame,
    facts: Mapping[str, object],
    staff: Staff | None,
    now: datetime,
) -> bool:
    """Keep a draft as the template's newest version and say whether it changed anything.

    Raises DomainError `message_faults` with each of them; nothing is kept then.
    """
    if draft.form == "blocks":
        draft = replace(draft, blocks=block_list.tidy(draft.blocks), mjml="")
    if found := faults(draft, frame, facts):
        raise DomainError("message_faults", _("The message has faults; see errors."), errors=found)
    kept = Template.objects.select_for_update().get(pk=template.pk)
    html = source(draft, frame.language).html
    return _put(kept, replace(draft, body_html=html), staff=staff, now=now)


@transaction.atomic
def retitle(template: Template, subject: str, *, staff: Staff | None, now: datetime) -> bool:
    """Give a message another subject line; says whether it is another one."""
    kept = Template.objects.select_for_update().get(pk=template.pk)
    return _put(kept, replace(Draft.of(kept), subject=subject), staff=staff, now=now)


@transaction.atomic
def restore(version: TemplateVersion, *, staff: Staff | None, now: datetime) -> bool:
    """Make an older version the newest one again; says whether it was another one."""
    kept = Template.objects.select_for_update().get(pk=version.template_id)
    return _put(kept, Draft.of(version), staff=staff, now=now)


@transaction.atomic
def begin(campaign: Any, name: str, *, staff: Staff | None, now: datetime) -> None:
    """Give every variant of a campaign the starter's message, each language of it.

    What was written before stays among the versions. Raises KeyError if there is no such starter.
    """
    for variant in campaign.variants.order_by("key"):
        there = {row.locale: row for row in variant.templates.select_for_update()}
        for starter in writing.starter_drafts(name):
            text = Draft(starter.subject, starter.blocks, "", starter.body_html, starter.body_text)
            kept = there.get(starter.locale)
            if kept is None:
                starter.variant = variant
                starter.save()
            else:
                _put(kept, text, staff=staff, now=now)


def latest(template: Template) -> int:
    """Return the number of the template's newest version; 0 before its first change."""
    numbers = template.versions.order_by("-number").values_list("number", flat=True)
    return numbers.first() or 0


def compared(version: TemplateVersion, before: TemplateVersion | None) -> list[comparing.Change]:
    """Return what a version changed against the one before; nothing for the first."""
    return comparing.differences(_told(before), _told(version)) if before else []


def _told(version: TemplateVersion) -> comparing.Version:
    written = "" if version.blocks else (version.mjml or version.body_html)
    return comparing.Version(version.subject, version.blocks, written, version.body_text)


def _put(kept: Template, draft: Draft, *, staff: Staff | None, now: datetime) -> bool:
    before = Draft.of(kept)
    if before == draft or (list(before.blocks), replace(before, blocks=())) == (
        list(draft.blocks),
        replace(draft, blocks=()),
    ):
        return False
    number = latest(kept)
    if not number:  # what there was before anybody wrote is a version too
        number = 1
        _keep(kept, number, before, staff=None, now=now)
    for name in CONTENT:
        value = getattr(draft, name)
        setattr(kept, name, [dict(one) for one in value] if name == "blocks" else value)
    kept.save(update_fields=CONTENT)
    _keep(kept, number + 1, Draft.of(kept), staff=staff, now=now)
    return True


def _keep(
    template: Template, number: int, draft: Draft, *, staff: Staff | None, now: datetime
) -> None:
    facts = {name: getattr(draft, name) for name in CONTENT}
    TemplateVersion.objects.create(template=template, number=number, at=now, staff=staff, **facts)
