"""The mutants that no test can tell from the code, each with the reason why. Data only."""

EXPLAINED: dict[tuple[str, str, str], str] = {
    ("ris/identity/insi/comparison.py", "compare", "'' → 'XX'"): "no birth date is told as XX",
    ("ris/identity/insi/retrieval.py", "imported", "born or local.birth_date → born"): (
        "the guard before it refuses an answer without a real date; the other half is for the types"
    ),
}
