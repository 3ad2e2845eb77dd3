from campaigns.admin import campaigns, rules

__all__ = ["campaigns", "rules"]
