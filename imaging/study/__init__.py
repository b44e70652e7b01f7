"""Folders, archives and lists of files to studies, series and images."""
