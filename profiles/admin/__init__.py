from profiles.admin import carts, customers, personas, segments, uploads

__all__ = ["carts", "customers", "personas", "segments", "uploads"]
