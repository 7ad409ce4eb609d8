"""What the gateway's processes are told from outside."""

from pathlib import Path

from pydantic import Field

from chassis.settings import Settings


class GatewaySettings(Settings):
    """What all gateway processes need."""

    sealing_key_file: Path = Field(description="file with the key that seals secrets: 32 random bytes in base64")


class AcceptSettings(GatewaySettings):
    """What the door needs."""

    accept_host: str = "127.0.0.1"
    accept_port: int = Field(default=18080, ge=1, le=65535)
    accept_budget_seconds: float = Field(default=0.8, gt=0, le=30, description="how long Kafka may take, then 503")
    accept_waiting_mib: int = Field(default=64, ge=4, description="how much may wait for Kafka at once, then 503")
    accept_refresh_seconds: float = Field(default=2, gt=0, le=5, description="how often the sources are read")
