"""The command line. The start-up path imports only what the chosen command uses."""
