"""Network parts that methods share: one block a file, shapes in the docstrings, parameter counts in the tests."""
