"""Encoders behind one registry: images or texts to unit vectors."""
