"""DICOMweb over our own store, for the reading room and other viewers."""
