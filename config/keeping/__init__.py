"""Keeping the data: copies of the databases and files, and the move to another server."""
