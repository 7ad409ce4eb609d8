"""What a person asks for with `patchline source`, checked: a wrong word stops with a line that says what is right."""

from pathlib import Path
from typing import Final

from chassis import commands
from services.gateway.registry import schemes, sources
from services.gateway.registry.operating import read_secret
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import NewSource

APPROVALS_NAME: Final = "links"
"""Links have one path, so there is one source of approvals."""


def source_id_in(vendor: str, name: str) -> str:
    """Return how the source is called everywhere; stop with a clear line where nothing can be called so."""
    found = sources.vendor_in(vendor)
    if found is None or not sources.is_name(name):
        commands.stop("vendor and name are lower-case letters, digits and hyphens, at most 63", commands.WRONG_USE)
    kind, vendor = found
    if vendor == sources.APPROVALS and name != APPROVALS_NAME:
        commands.stop(f"approval links have one path, so there is one source: {vendor} {APPROVALS_NAME}", commands.NO)
    return sources.source_id_of(vendor, name, kind)


def new_source(
    vendor: str, name: str, scheme: Scheme | None, header: str | None, *, key_hosts: tuple[str, ...] = ()
) -> NewSource:
    """Return the source that a person asks for; stop with a clear line where there can be none such."""
    kind, vendor, name = source_id_in(vendor, name).split("/")
    scheme = scheme or schemes.DEFAULT_SCHEME.get(vendor, Scheme.STANDARD_WEBHOOKS)
    if (reason := schemes.unfit(vendor, scheme, has_key_hosts=bool(key_hosts))) is not None:
        commands.stop(reason, commands.WRONG_USE)
    usual = schemes.DEFAULT_HEADER_OF.get(vendor, schemes.DEFAULT_HEADER) if scheme in schemes.IN_A_HEADER else None
    wanted = header or usual
    header_name = None if wanted is None else header_of(scheme, wanted)
    return NewSource(
        vendor=vendor,
        name=name,
        scheme=scheme,
        header_name=header_name,
        key_hosts=key_hosts,
        kind=sources.Kind(kind),
    )


def header_of(scheme: Scheme, header: str) -> str:
    """Return the header in which a secret is to travel; stop with a clear line where it cannot."""
    if scheme not in schemes.IN_A_HEADER:
        commands.stop(f"--header is for {' and '.join(sorted(schemes.IN_A_HEADER))}", commands.WRONG_USE)
    if not sources.is_header(header.lower()):
        commands.stop(f"{header!r} is no header that a secret can travel in", commands.WRONG_USE)
    return header.lower()


def secret(scheme: Scheme, given: Path | None) -> str:
    """Return the secret in the file `given`, or a new one; nothing for a scheme without one of ours."""
    if scheme in schemes.KEYLESS:
        if given is not None:
            commands.stop(f"{scheme} has no secret of ours: the vendor's own key is fetched", commands.WRONG_USE)
        return ""
    if given is None:
        return schemes.new_secret(scheme)
    chosen = read_secret(given)
    if not schemes.is_secret(scheme, chosen):
        commands.stop(f"{given}: no secret for {scheme}: {schemes.SECRET_FORM[scheme]}", commands.WRONG_USE)
    return chosen
