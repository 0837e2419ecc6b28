"""Numbers in sentences for people."""


def counted(number: int, noun: str) -> str:
    """`1 image`, `1,204 images`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(number: int) -> str:
    """Bytes as people say them: `812 bytes`, `1.4 MB`."""
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= least:
            return f"{number / least:.1f} {unit}"
    return counted(number, "byte")
