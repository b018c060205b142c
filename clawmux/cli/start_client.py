"""Starts the agents' client (client.py beside this) from its compiled form, as ``python -I -S start_client.py WORDS``.

Python compiles a script anew each time it is run, and an imported module once. Of the client, that is half of its start.
"""

import sys

# For this one import; the client itself takes the rest from the standard library.
sys.path.insert(0, __file__.rpartition("/")[0])
import client  # type: ignore[import-not-found]  # mypy knows it by its full name only

del sys.path[0]
client.run()
