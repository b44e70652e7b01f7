"""Recipe of the nerve and vessel expert."""
