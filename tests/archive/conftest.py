"""Every test of the archive writes into a folder of its own, and nothing is kept for an upload's reserve."""

import pytest


@pytest.fixture(autouse=True)
def apart(own_folders):
    return own_folders
