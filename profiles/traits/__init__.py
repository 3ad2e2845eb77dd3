"""What customers' orders and events say about them, brought up to date in SQL."""
