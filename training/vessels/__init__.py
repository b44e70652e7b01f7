"""Recipe of the retinal vessel expert."""
