from campaigns.admin import automations, campaigns, providers, rules

__all__ = ["automations", "campaigns", "providers", "rules"]
