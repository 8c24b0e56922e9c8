"""Copies of identity documents: sealed, seen by few, gone in time. Off unless the site asks.

The profile « Stockage des copies de titres d'identité ». What a document proves about an identity
is in `ris.identity.validation`, and needs no copy.
"""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.INS.58",)
