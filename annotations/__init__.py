"""Worklist, lease, readings, findings: who reads which exam, and what they say about it."""
