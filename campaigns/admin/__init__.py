from campaigns.admin import campaigns, providers, rules

__all__ = ["campaigns", "providers", "rules"]
