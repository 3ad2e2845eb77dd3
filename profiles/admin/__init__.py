from profiles.admin import carts, customers, event_names, personas, segments, uploads

__all__ = ["carts", "customers", "event_names", "personas", "segments", "uploads"]
