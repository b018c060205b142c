"""The joining: cores and adapters in one process that serves the page, the agents and the command line."""
