"""How good a model is, with intervals, beside a baseline, on patients that it never saw. No torch."""
