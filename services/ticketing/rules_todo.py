"""What a technician does about tickets of compliance, by kind. Pure."""

from collections.abc import Mapping
from typing import Final

from services.ticketing.records import Kind

TO_DO_OF_COMPLIANCE: Final[Mapping[Kind, str]] = {
    Kind.PATCH_OVERDUE: """What to do:
1. See what each machine waits for (patchline obligation show): a restart, a window, a failed installation, a scan.
2. Do that first, or have an exception signed (patchline exception request). Its deadline stays when it was.
3. Leave the ticket open: it is resolved by itself once each machine is proven good, excepted or gone.""",
    Kind.EXCEPTION: """What to do:
1. Write the text out and send it to the client's owner: patchline exception text ID --out FILE
2. The owner reads and signs it on their own machine, with their own key: patchline exception sign FILE
3. Bring what they signed: patchline exception approve ID --signature FILE
Without a signature nothing is excepted, and the request lapses at its end. The ID is this ticket's reference.""",
    Kind.MONITOR: """What to do:
1. See each machine (patchline obligation show, patchline monitor list); what is behind it is in the line above.
2. Leave the ticket open: a line is cleared when the condition is gone.""",
    Kind.SOURCE_SILENT: """What to do:
1. See whether the source itself is up, and whether its webhooks and polls reach the gateway (patchline source list).
2. Until it speaks, nobody knows how these machines are: what is due stays due.""",
    Kind.REBOOT_SURPRISE: """What to do:
1. Find out what restarted the machine: the RMM's own setting is the usual reason.
2. Tell the client. A notice before each restart is a promise of the service.
3. Close the ticket when it cannot happen again.""",
    Kind.WINDOW_MISSED: """What to do:
1. See whether the machine is off or out of reach during its window, or whether the deployment never began.
2. Do it by hand with the client's consent, or move the window. Nothing restarts it by surprise.""",
    Kind.WINDOW_EMPTY: """What to do:
1. Mend the window in the client's policy (patchline policy lint FILE, then patchline policy apply FILE).
2. Until then whatever waits for it is never done: a window that is empty means never.""",
    Kind.TRIAGE: """What to do:
1. Capture volatile evidence before anything is patched or restarted, then say so: patchline triage record.
2. A line is cleared when the triage is decided.""",
}

SUBJECTS_OF_COMPLIANCE: Final[Mapping[Kind, str]] = {
    Kind.PATCH_OVERDUE: "requirement",
    Kind.EXCEPTION: "exception",
    Kind.MONITOR: "monitor",
    Kind.SOURCE_SILENT: "source",
    Kind.REBOOT_SURPRISE: "machines",
    Kind.WINDOW_MISSED: "window",
    Kind.WINDOW_EMPTY: "window",
    Kind.TRIAGE: "requirement",
}
