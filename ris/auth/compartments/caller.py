"""What the compartments need to know of a caller: `Principal` is one. Types only."""

from typing import Protocol
from uuid import UUID

from ris.auth.compartments.scope import Compartment
from ris.auth.rights import Permission
from ris.core.audit import Actor


class Caller(Protocol):
    """A signed-in person; *session_id* is None for an API caller."""

    @property
    def account_id(self) -> UUID: ...  # noqa: D102 - as `Principal`
    @property
    def session_id(self) -> UUID | None: ...  # noqa: D102
    @property
    def permissions(self) -> frozenset[Permission]: ...  # noqa: D102
    @property
    def compartment(self) -> Compartment: ...  # noqa: D102
    @property
    def actor(self) -> Actor: ...  # noqa: D102
