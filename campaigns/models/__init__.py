from campaigns.models.attribution import Conversion
from campaigns.models.campaign import Campaign, Note, Variant
from campaigns.models.delivery import Delivery, DeliveryQuerySet
from campaigns.models.feedback import Feedback, Mailbox
from campaigns.models.provider import Provider
from campaigns.models.rules import SendingRules
from campaigns.models.template import Template
from campaigns.models.tracking import Hit, Link

__all__ = [
    "Campaign",
    "Conversion",
    "Delivery",
    "DeliveryQuerySet",
    "Feedback",
    "Hit",
    "Link",
    "Mailbox",
    "Note",
    "Provider",
    "SendingRules",
    "Template",
    "Variant",
]
