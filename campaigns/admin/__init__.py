from campaigns.admin import campaigns

__all__ = ["campaigns"]
