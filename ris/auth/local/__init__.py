"""Local sign-in with password and one-time code: emergency access, administration accounts."""
