"""``clawmux doctor``: looks at this machine and this installation, and says what is so. Changes nothing."""
