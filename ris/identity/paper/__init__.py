"""The datamatrix INS of a paper: read, decoded, and what it proposes."""
