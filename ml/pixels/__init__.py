"""From a stored image to what is shown or learned from: decode, mask, orient, resample, window, crop. No torch."""
