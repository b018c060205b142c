"""How it is done: each module touches one part of the world and decides nothing."""
