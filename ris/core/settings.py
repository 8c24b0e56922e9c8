"""Settings of the kernel, and how any setting is read: `RIS_X`, `RIS_FEATURE__X`, `RIS_X_FILE`.

Each feature declares its own `settings.py` (a pydantic `BaseModel`); `ris.settings` assembles them.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ris.core.errors import NotConfigured

PREFIX = "RIS_"


class SiteSettings(BaseModel):
    """Who installs the product. OIDs are the site's own assigning authorities."""

    name: str = "Site non configuré"
    application: str = "Segur RIS Core"
    timezone: str = "Europe/Paris"
    ipp_oid: str = "2.25.1"
    accession_oid: str = "2.25.2"
    order_oid: str = "2.25.3"


class HttpSettings(BaseModel):
    """Time-outs of outgoing HTTP calls, in seconds (engineering.md §1.6)."""

    connect_timeout_s: float = 10
    total_timeout_s: float = 60


class FilesSource(PydanticBaseSettingsSource):
    """Reads `RIS_X_FILE=/path` as the value of `RIS_X` (Docker secrets)."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing: values come whole from `__call__`."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the nested values found in `*_FILE` variables; raises `NotConfigured`."""
        values: dict[str, Any] = {}
        for name, path in os.environ.items():
            if not (name.startswith(PREFIX) and name.endswith("_FILE")):
                continue
            *parents, leaf = name[len(PREFIX) : -len("_FILE")].lower().split("__")
            node = values
            for parent in parents:
                node = node.setdefault(parent, {})
            try:
                node[leaf] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise NotConfigured(f"{name} : fichier illisible.") from error
        return values


class CoreSettings(BaseSettings):
    """Settings of the kernel; `ris.app.Settings` adds one field per feature."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True
    )

    environment: Literal["production", "test"] = "production"
    database_url: SecretStr | None = None
    data_dir: Path = Path("var")
    allow_embedded: bool = False
    keyring: Path | None = None
    trust_store: Path | None = None
    api_url: str = "http://127.0.0.1:8000"
    site: SiteSettings = SiteSettings()
    http: HttpSettings = HttpSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order: explicit arguments, environment, `*_FILE` variables."""
        return init_settings, env_settings, FilesSource(settings_cls)
