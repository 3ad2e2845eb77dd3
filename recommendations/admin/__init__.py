from recommendations.admin import products, runs

__all__ = ["products", "runs"]
