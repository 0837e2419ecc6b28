"""The four kinds of finding, each in three dimensions: drawn from its own stream, then seen in each view."""
