from recommendations.admin import fairness, feeds, products, runs, scenarios, served_lists

__all__ = ["fairness", "feeds", "products", "runs", "scenarios", "served_lists"]
