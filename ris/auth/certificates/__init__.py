"""The certificates of the practices: kept, added, replaced, watched; each act under its own."""
