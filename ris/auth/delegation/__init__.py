"""What a physician lets his staff do in his name: send, send again. Never sign (auth.md §9.3)."""
