"""Which practice's patients, exams and reports a caller sees (auth.md §5, AUTH-65)."""
