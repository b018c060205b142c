"""Agent runtimes: one TOML manifest each, and the code that reads them."""
