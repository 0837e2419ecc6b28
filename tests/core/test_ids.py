import time

from core.ids import uuid7


def test_keys_are_version_7_and_sort_by_time() -> None:
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()
    assert first.version == 7 and first.variant == "specified in RFC 4122"
    assert first < second
    assert abs((first.int >> 80) / 1000 - time.time()) < 5
