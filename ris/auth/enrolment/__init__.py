"""First sign-ins: which account a told identity belongs to, and what becomes of a stranger."""
