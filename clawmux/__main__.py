"""``python -m clawmux``."""

import sys

from clawmux.cli.main import main

sys.exit(main())
