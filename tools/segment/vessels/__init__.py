"""Retinal vessels on colour fundus photographs: mask, density, calibre, tortuosity, and what is refused."""
