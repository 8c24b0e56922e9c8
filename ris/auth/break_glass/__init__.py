"""Break-glass: a physician opens, for a reason and for a time, what another practice owns."""
