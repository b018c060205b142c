"""Puts ClawMux on this machine for one user: an environment, a launcher, the first speech models. Needs only Python."""
