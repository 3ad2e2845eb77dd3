from recommendations.models.catalogue import Availability, Offer, Product, ProductChange
from recommendations.models.fairness_rules import FairnessRules
from recommendations.models.feed import Feed, FeedImport, FeedItem
from recommendations.models.listing import CustomerListing, ProductListing
from recommendations.models.run import TrainingRun
from recommendations.models.scenario import Scenario, ScenarioVersion
from recommendations.models.served_list import ServedList

__all__ = [
    "Availability",
    "CustomerListing",
    "FairnessRules",
    "Feed",
    "FeedImport",
    "FeedItem",
    "Offer",
    "Product",
    "ProductChange",
    "ProductListing",
    "Scenario",
    "ScenarioVersion",
    "ServedList",
    "TrainingRun",
]
