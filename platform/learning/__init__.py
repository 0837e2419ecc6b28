"""Runs, model versions, scores, rounds: the Django side of learning. It starts `python -m ml`, never imports torch."""
