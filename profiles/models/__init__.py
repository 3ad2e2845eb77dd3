from profiles.models.customer import Customer, CustomerQuerySet
from profiles.models.event import Event, EventKey, EventStaging, EventVerdict
from profiles.models.identity import Identity
from profiles.models.order import Order, OrderLine, Refund
from profiles.models.persona import ClusteringRun, Persona
from profiles.models.segment import Segment
from profiles.models.trait import CustomerTraits
from profiles.models.upload import StagedLine, Upload

__all__ = [
    "ClusteringRun",
    "Customer",
    "CustomerQuerySet",
    "CustomerTraits",
    "Event",
    "EventKey",
    "EventStaging",
    "EventVerdict",
    "Identity",
    "Order",
    "OrderLine",
    "Persona",
    "Refund",
    "Segment",
    "StagedLine",
    "Upload",
]
