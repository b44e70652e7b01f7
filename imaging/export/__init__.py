"""DICOM objects written from evidence: segmentation, structured report, secondary capture."""
