"""``python -m skrec`` is ``skrec``."""

import sys

from skrec.cli import main

if __name__ == "__main__":
    sys.exit(main())
