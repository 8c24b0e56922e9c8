"""HL7 v2 over MLLP: IHE PAM France, in and out. Wire and plumbing; no rule on identities."""
