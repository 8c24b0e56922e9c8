"""Pro Santé Connect: its documents, tokens, claims, messages. No session and no account here."""
