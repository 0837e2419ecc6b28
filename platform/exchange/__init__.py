"""Labelled data in and out: importers of known data sets, frozen snapshots, exports."""
