#!/usr/bin/env python
"""Install, prepare and serve the teamchat with nothing but Python 3.10 or later; see ``examples/running.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from running import main

if __name__ == "__main__":
    main(__file__, "sign in with two names in two browsers; the first one may use the playground", extra="typed")
