"""What can be had without learning much: every model is shown beside these, on the same units."""
