"""Sizes of memory, and how a person reads them."""

GB = 1 << 30
MB = 1 << 20


def amount(size: int) -> str:
    """``5.5 GB``, ``900 MB``."""
    return f"{size / GB:.1f} GB".replace(".0 GB", " GB") if size >= GB else f"{size / MB:.0f} MB"
