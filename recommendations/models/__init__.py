from recommendations.models.catalogue import Product
from recommendations.models.fairness_rules import FairnessRules
from recommendations.models.listing import CustomerListing, ProductListing
from recommendations.models.run import TrainingRun
from recommendations.models.scenario import Scenario

__all__ = [
    "CustomerListing",
    "FairnessRules",
    "Product",
    "ProductListing",
    "Scenario",
    "TrainingRun",
]
