"""The Django project: composes the floors and holds no logic."""
