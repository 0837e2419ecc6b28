"""One file a format. A format writes its files from the items of a snapshot; `package` makes one archive of them.

To add a format: a file here with `write(items, folder)`, a line in FORMATS, a test in tests/exchange.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from exchange.exporters import coco, csv

Items = Callable[[], Iterable[Mapping[str, Any]]]
#: name -> writes its files into a folder; `items()` may be walked several times, each time in the same order
FORMATS: dict[str, Callable[[Items, Path], None]] = {"coco": coco.write, "csv": csv.write}
