"""Recipe of the image router: kinds of picture, and what counts as unknown."""
