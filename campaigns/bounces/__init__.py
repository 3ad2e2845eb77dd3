"""What comes back by mail for a message: bounces, complaints, automatic replies. Pure."""
