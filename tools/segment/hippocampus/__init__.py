"""Anterior and posterior hippocampus on MR crops around it: masks, volumes, and what is refused."""
