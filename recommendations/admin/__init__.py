from recommendations.admin import fairness, feeds, products, runs, scenarios

__all__ = ["fairness", "feeds", "products", "runs", "scenarios"]
