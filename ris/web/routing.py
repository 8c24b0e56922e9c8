"""The route class of the product: a route shows in OpenAPI the requirements it serves.

Only what FastAPI needs to build a route; no authentication, no transaction.
"""

from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute


class TaggedRoute(APIRoute):
    """A route that copies the `@satisfies` ids of its endpoint into `x-rem` (engineering §8.2)."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if ids := getattr(endpoint, "__rem__", ()):
            extra = options.get("openapi_extra") or {}
            options["openapi_extra"] = {**extra, "x-rem": list(ids)}
        if not options.get("operation_id"):
            options["operation_id"] = endpoint.__name__
        super().__init__(path, endpoint, **options)
