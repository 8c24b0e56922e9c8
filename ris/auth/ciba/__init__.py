"""Decoupled sign-in (CIBA): a phone or a card reader answers for a screen without a browser."""
