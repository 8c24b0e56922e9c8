"""Verification of many INS at once, by durable batches."""
