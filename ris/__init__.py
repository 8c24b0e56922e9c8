"""Ségur RIS Core: the version of the product, and nothing else."""

__version__ = "0.1.0"
