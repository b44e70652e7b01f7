"""Recipe of the hippocampus expert."""
