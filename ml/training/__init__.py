"""The one loop that trains every method, and what surrounds it: data, prediction, scoring, the model folder.

No file here knows a method's name; what differs between methods is in their records (`ml.methods.spec`).
"""
