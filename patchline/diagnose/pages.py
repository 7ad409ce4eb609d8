"""What the processes say on their health ports; how breakers and the spool stand is among the metrics."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from patchline.diagnose.bundle import Files
from patchline.local.runs import Running
from patchline.stack.programs import ACCEPT, PROGRAMS

PAGES: Final = ("live", "ready", "metrics")


def health_urls(running: Sequence[Running]) -> dict[str, str]:
    """Return where each process of a local stack answers; that of `accept` is found by the ports of the others."""
    url_by_name = {each.name: each.url for each in running}
    urls = {each.name: url_by_name[each.name] for each in PROGRAMS if each is not ACCEPT and each.name in url_by_name}
    beside = next((each for each in PROGRAMS if each.name in urls), None)
    if beside is not None and ACCEPT.name in url_by_name:
        host, _, port = urls[beside.name].rpartition(":")
        urls[ACCEPT.name] = f"{host}:{int(port) - beside.health + ACCEPT.health}"
    return urls


async def pages(urls: Mapping[str, str]) -> Files:
    """Return the pages of all processes; one that does not answer has a page that says so."""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        asked = [(name, page) for name in sorted(urls) for page in PAGES]
        texts = await asyncio.gather(*(_page(client, f"{urls[name]}/{page}") for name, page in asked))
    return {f"processes/{name}/{page}.txt": text for (name, page), text in zip(asked, texts, strict=True)}


async def _page(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}\n"
    return f"{answer.status_code}\n{answer.text}"
