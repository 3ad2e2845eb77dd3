from campaigns.admin import automations, brand, campaigns, pictures, providers, rules, signups

__all__ = ["automations", "brand", "campaigns", "pictures", "providers", "rules", "signups"]
