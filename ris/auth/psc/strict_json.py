"""JSON of the provider, read strictly: one object, no name twice, no absurd number or depth.

Pure. Which size is too large is the wire's affair (`provider.py`, `id_token.py`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ris.auth.errors import PscProtocolError


def json_object(content: bytes | str, reason: str) -> Mapping[str, Any]:
    """Return the object written in *content*; raises PscProtocolError *reason* on anything else.

    A name given twice is refused: two readers could each believe another value (RFC 8259 §4).
    """
    try:
        body = json.loads(content, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PscProtocolError(reason) from error
    if not isinstance(body, dict):
        raise PscProtocolError(reason)
    return body


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a name twice")
    return told


def _no_constant(name: str) -> None:
    raise ValueError(name)
