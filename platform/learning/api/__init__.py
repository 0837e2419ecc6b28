"""Methods, runs, models, scores, rounds and the strip of the loop over HTTP; a file a noun."""
