"""Synthetic mammograms with exact truth: a breast in three dimensions, compressed and projected to each view.

`phantom.exam` makes one exam, `dicom.write_exam` writes it as DICOM with its truth, `cohort` makes whole sets of them,
`probes` the small images of the learning checks. The same seed gives the same bytes.
"""
