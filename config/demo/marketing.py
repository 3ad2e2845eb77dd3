"""The demo's campaigns: one with a real effect, one without, one too young to tell, one draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import numpy as np

from campaigns import approvals, attribution, delivery, signing_up, tracking, writing
from campaigns.models import Campaign, Delivery, Hit, Link, SignUpForm, Variant
from config.demo import filling, year
from privacy.models import Staff, Topic
from profiles import segmentation
from profiles.events import merging
from profiles.models import Segment

if TYPE_CHECKING:
    from config.demo.filling import World

SEED = 11
DRAWS = UUID("7d0f6f0c-0b52-4c1b-9a8e-5b0d6a3c1e11")
REACHABLE = {
    "combinator": "and",
    "not": False,
    "rules": [{"field": "consent", "operator": "=", "value": "campaign.email:email"}],
}
SUBJECTS = {
    "en": "Three picks that go with what you own",
    "zh-hans": "三款与您的设备相配的好物",
}


TOPICS = {
    "offers": {"en": "Offers and sales", "zh-hans": "优惠与促销"},
    "new-products": {"en": "New products", "zh-hans": "新品上市"},
}
# Title, introduction, what people agree to, button.
SIGN_UP = {
    "en": (
        "News from Lumen & Volt",
        "New devices, accessories that fit yours, and our sales.",
        "Lumen & Volt may write to me about new products and offers. I can end this at any time.",
        "Sign me up",
    ),
    "zh-hans": (
        "订阅 Lumen & Volt 资讯",
        "新品、适合您设备的配件以及促销活动。",
        "我同意 Lumen & Volt 向我发送新品与优惠信息。我可以随时退订。",
        "立即订阅",
    ),
}


@dataclass(frozen=True)
class Story:
    """A campaign and what it does to people, by variant; rates are per customer treated."""

    name: str
    days_ago: int
    holdout_ppm: int
    clicks: dict[str, float]
    extra_orders: dict[str, float]
    goal: Campaign.Goal = Campaign.Goal.SELL
    starter: str = "sale"
    is_draft: bool = False


STORIES = (
    Story("Autumn sound week", 70, 200_000, {"A": 0.05, "B": 0.14}, {"A": 0.08, "B": 0.16}),
    Story(
        *("Accessory reminder", 38, 150_000, {"A": 0.06, "B": 0.06}, {"A": 0.0, "B": 0.0}),
        goal=Campaign.Goal.BRING_BACK,
        starter="win_back",
    ),
    Story(
        *("New arrivals", 6, 100_000, {"A": 0.06, "B": 0.07}, {"A": 0.01, "B": 0.01}),
        goal=Campaign.Goal.INFORM,
        starter="new_arrival",
    ),
    Story("Winter sale preview", 0, 100_000, {}, {}, is_draft=True),
)


def invite(now: datetime) -> None:
    """Name what the shop writes about, and open a form on which people ask for it."""
    topics = [
        Topic.objects.create(key=key, titles=titles, position=n)
        for n, (key, titles) in enumerate(TOPICS.items())
    ]
    form = SignUpForm.objects.create(
        key="news", name="News", asks=[SignUpForm.Asked.NAME], created_at=now
    )
    form.topics.set(topics)
    for locale, (title, intro, consent, button) in SIGN_UP.items():
        form.texts.create(locale=locale, title=title, intro=intro, consent=consent, button=button)
    signing_up.keep_wordings(form, now=now)


def plan(world: World, staff: Staff) -> list[tuple[Story, Campaign]]:
    """Write, approve and plan the campaigns of the past; leave the draft a draft."""
    segment = Segment.objects.filter(rule=REACHABLE).first() or segmentation.create(
        "Reachable by e-mail", REACHABLE, now=world.now
    )
    invite(world.now)
    made = [(story, _write(story, segment, staff, world.now)) for story in STORIES]
    for story, campaign in made:
        if not story.is_draft:
            then = _moment(story, world.now)
            approvals.approve(campaign, staff=staff, now=then)
            delivery.plan(campaign, then)
    return made


def _moment(story: Story, now: datetime) -> datetime:
    return now.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=story.days_ago)


def _write(story: Story, segment: Segment, staff: Staff, now: datetime) -> Campaign:
    campaign = Campaign.objects.create(
        name=story.name,
        goal=story.goal,
        topic=Topic.objects.get(key="offers") if story.is_draft else None,
        # By chance one draw in twenty shows an effect where none was made; the demo draws alike.
        salt=uuid5(DRAWS, story.name),
        segment=segment,
        holdout_ppm=story.holdout_ppm,
        cost_per_message_micros=4_000,
        fixed_cost_minor=180_000,
        created_by=staff,
        created_at=_moment(story, now),
    )
    for key in "AB":
        variant = Variant.objects.create(campaign=campaign, key=key)
        writing.start_from(variant, story.starter)
    for template in campaign.variants.get(key="B").templates.all():
        template.subject = SUBJECTS[template.locale]
        template.save(update_fields=["subject"])
    return campaign


def let_people_buy(world: World, made: list[tuple[Story, Campaign]]) -> None:
    """Add the orders that the messages cause: the effect that the reports must find."""
    chance = np.random.default_rng(SEED)
    shelf = year.Shelf(world.products)
    index = {person.external_id: n for n, person in enumerate(world.people)}
    for story, campaign in made:
        if not any(story.extra_orders.values()):
            continue
        then = _moment(story, world.now)
        room = min(28, story.days_ago)
        bought = []
        for external_id, key in _treated(campaign):
            if chance.random() < story.extra_orders[key]:
                number = index[external_id]
                shopper = year.Shopper(world.people[number], shelf, chance)
                at = then + timedelta(hours=float(chance.uniform(2, room * 24 - 12)))
                wished = [int(product) for product in shopper.wishes(1)]
                bought.append(year.purchase(shopper, number, wished, at))
        filling.take_orders(world, bought, prefix=f"{campaign.pk}-")


def _treated(campaign: Campaign) -> list[tuple[str, str]]:
    rows = Delivery.objects.filter(campaign=campaign, variant__isnull=False).order_by("pk")
    return list(rows.values_list("customer__external_id", "variant__key"))


def send(world: World, made: list[tuple[Story, Campaign]]) -> None:
    """Send at the time of the story, by the code that sends."""
    for story, campaign in made:
        if story.is_draft:
            continue
        approvals.launch(campaign)
        while delivery.send_due(_moment(story, world.now), campaign=campaign):
            pass


def let_people_click(world: World, made: list[tuple[Story, Campaign]]) -> None:
    """Record opens and clicks as the tracking links would have."""
    chance = np.random.default_rng(SEED + 1)
    reads = {person.external_id: person.taste.reads_mail for person in world.people}
    for story, campaign in made:
        link = Link.objects.filter(campaign=campaign).order_by("pk").first()
        sent = Delivery.objects.filter(campaign=campaign, state=Delivery.State.SENT)
        then, hits = _moment(story, world.now), []
        columns = ("pk", "variant__key", "customer__external_id")
        for pk, key, customer in sent.order_by("pk").values_list(*columns):
            at = then + timedelta(minutes=float(chance.exponential(600)) + 1)
            if chance.random() < 0.2:  # noqa: PLR2004 -- mail programs that fetch every picture
                early = then + timedelta(seconds=1)
                hits.append(Hit(delivery_id=pk, kind=Hit.Kind.OPEN, at=early, by_machine=True))
            clicks = chance.random() < story.clicks[key]
            if clicks or chance.random() < reads[customer]:  # some only look
                hits.append(Hit(delivery_id=pk, kind=Hit.Kind.OPEN, at=at, waits=True))
            if clicks:
                seconds = float(chance.uniform(5, 300))
                later = at + timedelta(seconds=seconds)
                clicked = Hit(delivery_id=pk, kind=Hit.Kind.CLICK, link=link, at=later, waits=True)
                hits.append(clicked)
        Hit.objects.bulk_create(hits, batch_size=filling.BATCH)


def tell_who_answered(world: World) -> None:
    """Let opens and clicks become events of the customers, as the hourly work does."""
    while tracking.tell(world.now, limit=filling.BATCH):
        pass
    while merging.merge(world.now, limit=50_000):
        pass


def count_what_it_earned(world: World, made: list[tuple[Story, Campaign]]) -> None:
    for story, campaign in made:
        if not story.is_draft:
            attribution.attribute(campaign, world.now)
