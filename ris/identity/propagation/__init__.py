"""Telling the attached systems what became of an identity."""
