"""MSSanté: addresses, messages, IHE_XDM archive, operator, receipts."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.MSS.01",)
