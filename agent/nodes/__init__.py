"""One module per node of the loop."""
