"""Vector indices chosen by size, with exact re-ranking from the stored vectors."""
