"""What visitors and servers tell: read, sealed, staged, merged once each."""
