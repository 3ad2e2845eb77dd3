from recommendations.models.catalogue import Product
from recommendations.models.listing import CustomerListing, ProductListing
from recommendations.models.run import TrainingRun
from recommendations.models.scenario import Scenario

__all__ = ["CustomerListing", "Product", "ProductListing", "Scenario", "TrainingRun"]
