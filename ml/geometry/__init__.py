"""Marks and their arithmetic: shapes, overlap, affine maps, other people's conventions. Plain numbers, no torch.

Everywhere: pixels of the stored image, origin at the outer corner of the top-left pixel, x right, y down; the centre of
pixel (column i, row j) is (i + 0.5, j + 0.5); boxes `[x0, y0, x1, y1]` half-open.
"""
