"""Keys that sort by the time they were made."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A new UUID version 7: 48 bits of milliseconds since 1970, then 74 random bits. Source: RFC 9562, section 5.7.

    Keys of one process never go backwards (section 6.2): within a millisecond the random part counts up. Made here,
    not in the database, so that both databases agree; Python has one of its own only from 3.14.
    """
    global _last
    fresh = (time.time_ns() // 1_000_000) << 74 | int.from_bytes(os.urandom(10)) >> 6
    with _lock:
        _last = max(fresh, _last + 1)
        count = _last
    random_a, random_b = count >> 62 & 0xFFF, count & (1 << 62) - 1
    return uuid.UUID(int=(count >> 74) << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
