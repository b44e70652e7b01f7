"""The same questions about every image of a folder, as rows that survive a kill."""
