"""Files of every kind a corpus takes, read one by one into items."""
