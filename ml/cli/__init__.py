"""The command line of the learner. Human text goes to stderr; `--json` prints one JSON document to stdout."""
