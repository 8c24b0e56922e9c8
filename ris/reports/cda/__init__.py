"""CDA R2 documents: vocabulary, header, bodies, reading back."""
