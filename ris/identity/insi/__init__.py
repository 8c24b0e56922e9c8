"""INSi: the call, its answers and faults, retrieval and verification of an INS."""
