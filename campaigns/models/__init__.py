from campaigns.models.attribution import Conversion
from campaigns.models.automation import Automation, Step
from campaigns.models.brand import Brand
from campaigns.models.campaign import Campaign, Note, Variant
from campaigns.models.card import Card
from campaigns.models.checked_link import CheckedLink
from campaigns.models.coupon import Coupon
from campaigns.models.delivery import Delivery, DeliveryQuerySet
from campaigns.models.feedback import Feedback, Mailbox
from campaigns.models.impression import Impression
from campaigns.models.picture import Picture
from campaigns.models.provider import Provider
from campaigns.models.push import PushSubscription
from campaigns.models.rules import SendingRules
from campaigns.models.service import ServiceMessage
from campaigns.models.signup import SignUp, SignUpForm, SignUpText, SignUpWording
from campaigns.models.sms import SmsText
from campaigns.models.template import Template
from campaigns.models.tracking import Hit, Link
from campaigns.models.version import TemplateVersion

__all__ = [
    "Automation",
    "Brand",
    "Campaign",
    "Card",
    "CheckedLink",
    "Conversion",
    "Coupon",
    "Delivery",
    "DeliveryQuerySet",
    "Feedback",
    "Hit",
    "Impression",
    "Link",
    "Mailbox",
    "Note",
    "Picture",
    "Provider",
    "PushSubscription",
    "SendingRules",
    "ServiceMessage",
    "SignUp",
    "SignUpForm",
    "SignUpText",
    "SignUpWording",
    "SmsText",
    "Step",
    "Template",
    "TemplateVersion",
    "Variant",
]
