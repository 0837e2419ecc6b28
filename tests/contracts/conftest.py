"""A folder of its own for what a contract needs on the disk, and what the tests of learning start from."""

import pytest

from tests.learning.conftest import admin, density_version, lesion_version, pool, read_project, reader, snapshot

__all__ = ["admin", "density_version", "lesion_version", "own_folders", "pool", "read_project", "reader", "snapshot"]


@pytest.fixture
def own_folders(var_dir, settings):
    settings.DISK_RESERVE_BYTES = 0
    return var_dir
