"""View and population guards."""
