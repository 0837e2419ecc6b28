#!/usr/bin/env python
"""Django's door: puts the two source roots on the path and hands over."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# `platform` is a source root, not a package: its name belongs to the standard library.
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mammoloop.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"MammoLoop cannot start: {error}")
