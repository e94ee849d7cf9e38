"""`python -m freehold`: the same as the `freehold` command."""

from __future__ import annotations

import sys

from freehold.app.main import main

if __name__ == "__main__":
    sys.exit(main())
