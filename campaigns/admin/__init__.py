from campaigns.admin import automations, brand, campaigns, providers, rules

__all__ = ["automations", "brand", "campaigns", "providers", "rules"]
