"""Nuclei of fluorescence and purple-stained micrographs: instances and their count."""
