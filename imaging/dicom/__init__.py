"""DICOM files: reading, grey scale, and what the header says."""
