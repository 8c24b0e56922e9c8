"""The PDF/A-1b of a report."""
