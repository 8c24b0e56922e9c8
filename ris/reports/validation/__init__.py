"""Checking what the product emits: XSD, schematron, PDF/A."""
