"""The single readings behind clawmux.hardware, one module for each place that facts come from."""
