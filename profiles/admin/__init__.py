from profiles.admin import carts, customers, personas, quality, rates, segments, uploads

__all__ = ["carts", "customers", "personas", "quality", "rates", "segments", "uploads"]
