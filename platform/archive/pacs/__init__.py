"""Archives of others, by DICOMweb: the only room that knows its client library."""

import logging

# Their lines hold whole addresses, and a search for a patient is in the address.
for _name in ("dicomweb_client", "urllib3", "retrying"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
