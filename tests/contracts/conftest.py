"""A folder of its own for what a contract needs on the disk."""

import pytest


@pytest.fixture
def own_folders(var_dir, settings):
    settings.DISK_RESERVE_BYTES = 0
    return var_dir
