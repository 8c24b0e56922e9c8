"""The mutants that no test can tell from the code, each with the reason why. Data only."""

EXPLAINED: dict[tuple[str, str, str], str] = {
    ("ris/identity/insi/comparison.py", "compare", "'' → 'XX'"): "no birth date is told as XX",
    ("ris/identity/insi/retrieval.py", "imported", "born or local.birth_date → born"): (
        "the guard before it refuses an answer without a real date; the other half is for the types"
    ),
    ("ris/identity/foreign/check.py", "_decided", "person and same → same"): (
        "the same person is a person; the other half is for the types"
    ),
    (
        "ris/identity/foreign/check.py",
        "_decided",
        "said is Verdict.KO or person is None → said is Verdict.KO",
    ): "a search never says OK without a person; the other half is for the types",
}
