"""The Annuaire Santé: correspondents, what is kept of them, and how it is asked."""
