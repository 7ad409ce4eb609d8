"""What the gateway's processes are told from outside."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from services.gateway.keys.bodies import SEALING_BYTES


class SealingSettings(BaseSettings):
    """What seals secrets, and what wraps the keys of raw bodies."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    sealing_key_file: Path = Field(description="file with the key that seals secrets: 32 random bytes in base64")
    old_sealing_key_files: list[Path] = Field(
        default_factory=list, description='as JSON: those that wrapped data keys before, ["/etc/patchline/old.key"]'
    )
    key_sealer: Literal["file", "vault"] = Field(default="file", description="what wraps new data keys")
    vault_url: str = Field(default="", description="HashiCorp Vault, for example https://vault.example.com:8200")
    vault_token_file: Path | None = Field(default=None, description="file with a token; read anew for each call")
    vault_mount: str = Field(default="transit", description="where its transit engine is mounted")


class GatewaySettings(Settings, SealingSettings):
    """What all gateway processes need."""

    blob_store: Literal["postgres", "s3"] = Field(default="postgres", description="where bodies go that are too large")
    s3_url: str = Field(default="", description="S3-compatible, for example https://s3.eu-central-1.amazonaws.com")
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_access_key_id: str = ""
    s3_secret_key_file: Path | None = Field(default=None, description="file with the secret access key")
    record_body_bytes: int = Field(
        default=1_048_576 + SEALING_BYTES, ge=1024, description="sealed bodies over this go to the blob store"
    )


class RedactionSettings(BaseSettings):
    """What takes the secrets out of exposures: doors and pollers need it where there are feeds."""

    model_config = SettingsConfigDict(env_prefix="PATCHLINE_", extra="ignore", frozen=True)

    fingerprint_key_file: Path | None = Field(
        default=None, description="file with the key of fingerprints of exposed secrets: 32 random bytes in base64"
    )
    exposure_fields: dict[str, dict[str, list[str]]] = Field(
        default_factory=dict,
        description='where a feed has what, as JSON, by feed and role: {"spycloud": {"login": ["user.mail"]}}',
    )
    quarantine_public_key_file: Path | None = Field(
        default=None, description="file with the public half of the offline key for exposures that cannot be read"
    )


class AcceptSettings(GatewaySettings, RedactionSettings):
    """What the door needs."""

    accept_host: str = "127.0.0.1"
    accept_port: int = Field(default=18080, ge=1, le=65535)
    accept_budget_seconds: float = Field(default=0.5, gt=0, le=30, description="how long Kafka may take, then spool")
    accept_spool_seconds: float = Field(default=0.4, gt=0, le=30, description="how long the spool may take, then 503")
    accept_waiting_mib: int = Field(default=64, ge=4, description="how much may wait for Kafka, and for the spool")
    accept_live_rate: float = Field(
        default=200, gt=0, description="deliveries a second that a source may send live; the excess travels in bulk"
    )
    accept_refresh_seconds: float = Field(default=2, gt=0, le=5, description="how often the sources are read")
    accept_snapshot_file: Path | None = Field(
        default=None, description="where the sources are kept, sealed, to start from while PostgreSQL is away"
    )
    approval_key_file: Path | None = Field(
        default=None, description="file with the key of approval links: 32 random bytes in base64"
    )
