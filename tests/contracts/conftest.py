"""What the tests of learning start from."""

from tests.learning.conftest import density_version, lesion_version, pool, read_project, snapshot

__all__ = ["density_version", "lesion_version", "pool", "read_project", "snapshot"]
