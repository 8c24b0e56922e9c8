"""Situations d'exercice that an administrator gives: a remplaçant's above all (AUTH-66)."""
