from recommendations.admin import products, runs, scenarios

__all__ = ["products", "runs", "scenarios"]
