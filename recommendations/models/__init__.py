from recommendations.models.catalogue import Product
from recommendations.models.listing import CustomerListing, ProductListing
from recommendations.models.run import TrainingRun

__all__ = ["CustomerListing", "Product", "ProductListing", "TrainingRun"]
