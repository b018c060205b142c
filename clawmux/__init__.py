"""ClawMux: talk by voice with several coding agents through one hub."""

__version__ = "0.1.0"
