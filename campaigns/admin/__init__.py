from campaigns.admin import automations, brand, campaigns, providers, rules, signups

__all__ = ["automations", "brand", "campaigns", "providers", "rules", "signups"]
