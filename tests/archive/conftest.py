"""Every test of the archive writes into a folder of its own, and nothing is kept for an upload's reserve."""

import pytest


@pytest.fixture(autouse=True)
def own_folders(var_dir, settings):
    settings.DISK_RESERVE_BYTES = 0
    return var_dir
