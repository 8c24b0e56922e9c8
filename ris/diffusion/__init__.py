"""Deliveries: decision, plan, engine, attempts, dashboard."""

from typing import Final

__rem__: Final[tuple[str, ...]] = ("RIS.DMP.01", "RIS.MSS.22", "RIS.TBB.01")
