"""All writes of this floor; a file a noun."""
