from tests.security.conftest import lived, sandbox, told

__all__ = ["lived", "sandbox", "told"]
