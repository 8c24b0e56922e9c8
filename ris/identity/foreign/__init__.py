"""Identities that others send: trust contracts, matching, automatic verification, what is held."""
