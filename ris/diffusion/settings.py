"""Settings of the deliveries: delays, thresholds, concurrency. Defaults are those of production.

The demo and the tests set every interval to 2 s or less through the environment.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

from ris.core.breaker import Policy
from ris.reports.channels import ChannelName

_DAY = 86400.0
ENDPOINTS: Final = {
    ChannelName.DMP: "dmp",
    ChannelName.MSS_PS: "mss",
    ChannelName.MSS_PATIENT: "mss",
}


class ChannelPolicy(BaseModel):
    """Retries of one channel (engineering.md §1.7): *delays_s*, then every *then_s* seconds.

    Gives up *give_up_s* seconds after the sending was due; *probe_s* is the wait before asking the
    remote side about a lost answer.
    """

    model_config = ConfigDict(frozen=True)

    delays_s: tuple[float, ...]
    then_s: float
    give_up_s: float
    probe_s: float = 5


class DiffusionSettings(BaseModel):
    """`RIS_DIFFUSION__*`. Durations in seconds.

    *heartbeat_s*/*stalled_s*: life of a worker; *polling_s*: look for postponed jobs;
    *running_limit_s*: longer than any time-out of an attempt; *holds_s*: how often each remote
    cause of a `held` is tried again, *hold_default_s* for the others, failed after
    *hold_give_up_s*; *recheck_s*: a hold of
    our own is reconsidered; *pace_s*: gap between two sendings when an endpoint comes back.
    """

    model_config = ConfigDict(frozen=True)

    concurrency: int = 4
    heartbeat_s: float = 10
    stalled_s: float = 30
    polling_s: float = 1
    shutdown_s: float = 330
    listen_notify: bool = True
    rescue_s: int = 10
    requeue_s: int = 60
    receipts_poll_s: int = 60
    running_limit_s: float = 900
    own_failure_s: float = 30
    recheck_s: float = 600
    defects: int = 3
    jitter: tuple[float, float] = (0.5, 1.5)
    breaker_failures: int = 5
    breaker_open_s: float = 60
    breaker_max_s: float = 900
    pace_s: float = 0.05
    holds_s: dict[str, float] = {"NO_DMP": _DAY, "DMP_CLOSED": _DAY}
    hold_default_s: float = 3600
    hold_give_up_s: float = 30 * _DAY
    deletion_notice: bool = True
    dmp: ChannelPolicy = ChannelPolicy(
        delays_s=(60, 300, 900, 3600), then_s=4 * 3600, give_up_s=3 * _DAY
    )
    mss: ChannelPolicy = ChannelPolicy(delays_s=(60, 300, 900, 1800), then_s=3600, give_up_s=_DAY)

    @property
    def breaker(self) -> Policy:
        """When the breaker of an endpoint opens, and for how long."""
        return Policy(self.breaker_failures, self.breaker_open_s, self.breaker_max_s)

    def policy(self, channel: ChannelName) -> ChannelPolicy:
        """Return the retries of *channel*; both MSSanté channels share theirs."""
        return self.dmp if channel is ChannelName.DMP else self.mss
