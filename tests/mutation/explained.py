"""The mutants that no test can tell from the code, each with the reason why. Data only."""

EXPLAINED: dict[tuple[str, str, str], str] = {}
