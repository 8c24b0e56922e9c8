"""What identity costs: search over a million patients, creation, ADT intake.

`python -m tests.bench_identity` runs it.
"""
