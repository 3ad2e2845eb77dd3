"""From a template and facts to the bytes of a message: pure functions, no Django."""
