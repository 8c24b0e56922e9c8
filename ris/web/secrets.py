"""A secret in a body, which pydantic does not look into: it must be text all the same."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr


def _encodable(secret: SecretStr) -> SecretStr:
    """Refuse half a character (a lone surrogate), which no hash nor key file can take."""
    if any("\ud800" <= one <= "\udfff" for one in secret.get_secret_value()):
        raise ValueError("not text")
    return secret


SecretText = Annotated[SecretStr, AfterValidator(_encodable)]
