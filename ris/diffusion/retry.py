"""When to try again: the schedule of each channel (engineering.md §1.7). Pure."""

from datetime import timedelta

from ris.diffusion.settings import ChannelPolicy


def backoff(policy: ChannelPolicy, tries: int, factor: float) -> timedelta:
    """Return the wait after the *tries*-th failure in a row (1, 2…), spread by *factor*."""
    listed = policy.delays_s
    seconds = listed[tries - 1] if tries <= len(listed) else policy.then_s
    return timedelta(seconds=seconds * factor)
