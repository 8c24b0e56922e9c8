"""Keycloak, which Pro Santé Connect runs: a second independent provider (`make interop`)."""
