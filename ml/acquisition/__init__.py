"""From what a model says of images to the order in which exams are read. No torch, pure functions."""
