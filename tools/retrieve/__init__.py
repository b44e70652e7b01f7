"""Retrieval: corpora of images and passages, encoders, indices, and the tools that search them."""
