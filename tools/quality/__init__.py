"""Image quality tools."""
