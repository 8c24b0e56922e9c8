"""What access control costs: 200 signed-in people at work, journal on, while others sign in.

`python -m tests.bench_auth` runs it.
"""
