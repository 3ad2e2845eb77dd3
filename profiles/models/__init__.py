from profiles.models.cart import Cart, CartLine, CartToken
from profiles.models.custom_trait import CustomTrait, CustomTraitValue, CustomTraitVersion
from profiles.models.customer import Customer, CustomerQuerySet
from profiles.models.device import OwnedDevice
from profiles.models.event import Event, EventKey, EventStaging, EventVerdict
from profiles.models.event_record import EventDay, EventName, RejectedEvent
from profiles.models.identifier import CustomerMerge, Identifier
from profiles.models.identity import Identity
from profiles.models.norm import CategoryNorm, CustomerChange, ProductFact, TraitBuild
from profiles.models.order import Order, OrderLine, Refund, ToldRefund
from profiles.models.persona import ClusteringRun, Persona
from profiles.models.quality import CleaningState, Quality
from profiles.models.rate import Rate
from profiles.models.score import Score, ScoreRun
from profiles.models.segment import Segment, SegmentMember, SegmentSize, SegmentVersion
from profiles.models.static_list import StaticList, StaticListMember
from profiles.models.trait import CustomerTraits
from profiles.models.upload import StagedLine, Upload
from profiles.models.upload_change import UploadChange

__all__ = [
    "Cart",
    "CartLine",
    "CartToken",
    "CategoryNorm",
    "CleaningState",
    "ClusteringRun",
    "CustomTrait",
    "CustomTraitValue",
    "CustomTraitVersion",
    "Customer",
    "CustomerChange",
    "CustomerMerge",
    "CustomerQuerySet",
    "CustomerTraits",
    "Event",
    "EventDay",
    "EventKey",
    "EventName",
    "EventStaging",
    "EventVerdict",
    "Identifier",
    "Identity",
    "Order",
    "OrderLine",
    "OwnedDevice",
    "Persona",
    "ProductFact",
    "Quality",
    "Rate",
    "Refund",
    "RejectedEvent",
    "Score",
    "ScoreRun",
    "Segment",
    "SegmentMember",
    "SegmentSize",
    "SegmentVersion",
    "StagedLine",
    "StaticList",
    "StaticListMember",
    "ToldRefund",
    "TraitBuild",
    "Upload",
    "UploadChange",
]
