"""``python -m gateway.cli``: the command where it is not installed."""

import sys

from gateway.cli import main

sys.exit(main())
