"""A strict MSSanté operator for demos and tests: SMTP submission, IMAP, delivery reports.

Written from the wire specification (mss.md, RFC 5321, 3461, 3464, 3501), never from our sender.
"""

from typing import Final

__rem__: Final[tuple[str, ...]] = ()
