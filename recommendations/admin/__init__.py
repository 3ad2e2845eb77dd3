from recommendations.admin import fairness, products, runs, scenarios

__all__ = ["fairness", "products", "runs", "scenarios"]
