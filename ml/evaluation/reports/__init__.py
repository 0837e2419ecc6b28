"""From prediction rows and manifest rows to the metrics, curves and worst cases of one task."""
