from profiles.admin import carts, customers, personas, rates, segments, uploads

__all__ = ["carts", "customers", "personas", "rates", "segments", "uploads"]
