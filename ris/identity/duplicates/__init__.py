"""Duplicates and collisions: found, scored, merged and un-merged."""
