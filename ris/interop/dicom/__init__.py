"""DICOM: reading study headers."""
