"""What satisfies a need for a patch, on each fix line that has it. Pure."""

from dataclasses import dataclass

from services.compliance.catalog.entries import CatalogDocument, ReleaseEntry
from services.compliance.catalog.graph import Supersedence
from services.compliance.catalog.model import folded_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfied:
    """One release on one fix line, and the releases that satisfy it: itself and what supersedes it, oldest first."""

    product: str
    train: str
    release: str
    satisfied_by: tuple[str, ...]


def satisfied_by(known: CatalogDocument, patch: str) -> list[Satisfied]:
    """Return each release that `patch` names, with what satisfies it."""
    wanted = folded_name(patch)
    found = []
    for product in known.products:
        for train in product.trains:
            named = [each for each in train.releases if wanted in _names(each)]
            if not named:
                continue
            graph = Supersedence((each.release, older) for each in train.releases for older in each.supersedes)
            order = {each.release: each.released_at for each in train.releases}
            found += [
                Satisfied(
                    product=product.product,
                    train=train.train,
                    release=each.release,
                    satisfied_by=tuple(
                        sorted(graph.satisfied_by(each.release) & order.keys(), key=lambda name: (order[name], name))
                    ),
                )
                for each in named
            ]
    return found


def _names(entry: ReleaseEntry) -> set[str]:
    kb = {entry.kb, f"kb{entry.kb}"} if entry.kb else set()
    return {folded_name(entry.release), *(folded_name(each) for each in entry.patches), *kb}
