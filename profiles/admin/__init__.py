from profiles.admin import customers, personas, segments, uploads

__all__ = ["customers", "personas", "segments", "uploads"]
