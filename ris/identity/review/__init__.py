"""The identities that wait for a person: why each one does, since when, and what ends it."""
