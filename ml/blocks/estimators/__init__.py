"""Things that are learned and are no networks, as modules: arrays in buffers, fitted by scikit-learn, run by torch."""
