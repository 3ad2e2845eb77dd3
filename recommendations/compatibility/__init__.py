"""Does this accessory go with that device: yes, no or unknown, with what decides. No Django."""
