"""Tier, OS family and ePHI: from what they are concluded, and that the source's own word stands above all."""

import pytest

from contracts.events.event import OsFamily, Tier
from services.inventory.rules import DAILY
from services.inventory.rules_labels import Basis, Clues, Label, ephi, os_family, tier


@pytest.mark.parametrize(
    ("stated", "os_name", "tags", "expected"),
    [
        pytest.param("kiosk", "Windows Server 2022", ("tier: server",), Label(Tier.KIOSK, Basis.STATED), id="stated"),
        pytest.param(
            None, "Windows Server 2022", ("Do-Not-Disrupt",), Label(Tier.DO_NOT_DISRUPT, Basis.TAGS), id="tag"
        ),
        pytest.param(None, None, ("tier=kiosk",), Label(Tier.KIOSK, Basis.TAGS), id="tag with its kind"),
        pytest.param(None, None, ("workstation", "server"), Label(Tier.SERVER, Basis.TAGS), id="tags disagree"),
        pytest.param(
            None, None, ("server room key",), Label(Tier.WORKSTATION, Basis.DEFAULT), id="a tag that only begins so"
        ),
        pytest.param(None, "Windows Server 2022 Standard", (), Label(Tier.SERVER, Basis.OS_NAME), id="OS name"),
        pytest.param(None, "WINDOWS_SERVER", (), Label(Tier.SERVER, Basis.OS_NAME), id="node class"),
        pytest.param(None, "LINUX_WORKSTATION", (), Label(Tier.WORKSTATION, Basis.OS_NAME), id="workstation class"),
        pytest.param(None, "VMware ESXi 8.0", (), Label(Tier.SERVER, Basis.OS_NAME), id="hypervisor"),
        pytest.param(None, "Windows Embedded POSReady 7", (), Label(Tier.KIOSK, Basis.OS_NAME), id="till"),
        pytest.param(None, "Windows Observer 1", (), Label(Tier.WORKSTATION, Basis.DEFAULT), id="part of a word"),
        pytest.param(None, "Windows 11 Pro", (), Label(Tier.WORKSTATION, Basis.DEFAULT), id="client OS"),
        pytest.param(None, None, (), Label(Tier.WORKSTATION, Basis.DEFAULT), id="nothing known"),
    ],
)
def test_tier(stated: str | None, os_name: str | None, tags: tuple[str, ...], expected: Label[Tier]) -> None:
    assert tier(stated, os_name, tags) == expected


@pytest.mark.parametrize(
    ("stated", "os_name", "expected"),
    [
        pytest.param("other", "Windows 11", Label(OsFamily.OTHER, Basis.STATED), id="stated"),
        pytest.param(None, "Microsoft Windows 11 Pro", Label(OsFamily.WINDOWS, Basis.OS_NAME), id="windows"),
        pytest.param(None, "WINDOWS_SERVER", Label(OsFamily.WINDOWS, Basis.OS_NAME), id="node class"),
        pytest.param(None, "macOS 15.1 Sequoia", Label(OsFamily.MACOS, Basis.OS_NAME), id="macos"),
        pytest.param(None, "Mac OS X 10.15", Label(OsFamily.MACOS, Basis.OS_NAME), id="mac os x"),
        pytest.param(None, "OS X 10.11", Label(OsFamily.MACOS, Basis.OS_NAME), id="os x"),
        pytest.param(None, "Ubuntu 24.04.1 LTS", Label(OsFamily.LINUX, Basis.OS_NAME), id="ubuntu"),
        pytest.param(None, "Red Hat Enterprise Linux 9", Label(OsFamily.LINUX, Basis.OS_NAME), id="red hat"),
        pytest.param(None, "FreeBSD 14", Label(OsFamily.OTHER, Basis.DEFAULT), id="another one"),
        pytest.param(None, None, Label(OsFamily.OTHER, Basis.DEFAULT), id="nothing known"),
    ],
)
def test_os_family(stated: str | None, os_name: str | None, expected: Label[OsFamily]) -> None:
    assert os_family(stated, os_name) == expected


@pytest.mark.parametrize(
    ("stated", "tags", "expected"),
    [
        pytest.param(False, ("ephi",), Label(False, Basis.STATED), id="stated"),
        pytest.param(None, ("ePHI system: yes",), Label(True, Basis.TAGS), id="yes"),
        pytest.param(None, ("ePHI: no",), Label(False, Basis.TAGS), id="no"),
        pytest.param(None, ("ephi-no", "EPHI"), Label(True, Basis.TAGS), id="tags disagree"),
        pytest.param(None, ("ephi archive",), Label(None, Basis.DEFAULT), id="another tag"),
        pytest.param(None, (), Label(None, Basis.DEFAULT), id="nobody said"),
    ],
)
def test_ephi(stated: bool | None, tags: tuple[str, ...], expected: Label[bool | None]) -> None:  # noqa: FBT001 - a column
    assert ephi(stated, tags) == expected


def test_no_label_is_concluded_from_what_moves_every_day() -> None:
    assert not set(DAILY) & set(Clues._fields)
