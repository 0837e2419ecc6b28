"""Whether a detector points at the lesions, and how often it points at nothing."""
