"""Volumes: NIfTI, NRRD, MetaImage and DICOM series on one convention (RAS, mm)."""
