"""One Job: submit, progress, cancel, retry, live events; and the supervisor of `make demo`'s processes."""
