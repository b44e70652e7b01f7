"""Recipe of the nucleus expert."""
