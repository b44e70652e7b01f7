"""Recipe of the embedded image encoder: the projection of trunk features."""
