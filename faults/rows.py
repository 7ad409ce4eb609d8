"""What every fault's row is made of: the judge's counts, and processes that ended as they should not."""

from dataclasses import dataclass, replace

from faults.report import Injured
from faults.world import World

STARTED_AGAIN = 1
"""The one exit code with which a process may end because a part is away: an orchestrator starts it again."""


@dataclass(slots=True)
class Watch:
    """How many deaths were known when a fault began; later ones belong to it."""

    world: World
    deaths: int = 0

    def __post_init__(self) -> None:
        """Begin now."""
        self.deaths = len(self.world.supervisor.deaths)

    def ended(self) -> int:
        """Return how many processes have ended since in another way than to be started again, and say which."""
        ends = [each for each in self.world.supervisor.deaths[self.deaths :] if each.exit_code != STARTED_AGAIN]
        for death in ends:
            self.world.say(f"{death.program} ended with code {death.exit_code}")
        return len(ends)

    async def row(self, fault: str, *, injected: int, recovered: float, wrong: int = 0, runbook: str = "") -> Injured:
        """Settle, judge, and return the row; `wrong` is what the fault itself found wrong besides."""
        judged = await row_of(self.world, fault, injected=injected, recovered=recovered, wrong=wrong, runbook=runbook)
        return replace(judged, wrong=judged.wrong + self.ended())


async def row_of(
    world: World, fault: str, *, injected: int, recovered: float, wrong: int = 0, runbook: str = ""
) -> Injured:
    """Settle, judge, and return the row of one fault; `wrong` is what the fault itself found wrong besides."""
    judgement = await world.judged()
    world.recovery.taken()
    return Injured(
        fault=fault,
        injected=injected,
        recovered_s=round(recovered, 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong + wrong,
        runbook=runbook,
    )
