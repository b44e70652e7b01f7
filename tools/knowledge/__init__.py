"""Knowledge graph tools."""
