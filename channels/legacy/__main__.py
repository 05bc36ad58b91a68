"""``python -m channels.legacy``: the migration report without a working Django project."""

import sys

from channels.legacy.report import main

if __name__ == "__main__":
    sys.exit(main())
