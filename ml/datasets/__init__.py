"""Public data sets read as plain values: who, which breast, what was found, where. No torch, no Django."""
