"""Whether a policy file can be met: the linter over what a file and its presets say."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.compliance.policies.compile import OWN_REGIME, compiled, window_of
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.preset import Preset
from services.compliance.policies.rules_feasible import Measure
from services.compliance.policies.rules_lint import Beside, Lint, lint
from services.compliance.policies.rules_warnings import ExceptionLimit


def lint_of(
    document: PolicyDocument, presets: Sequence[Preset], *, now: datetime, install: timedelta | None = None
) -> Lint:
    """Return what is found in a policy, as `reading.policy_of` gives it, for the releases of 24 months from `now`.

    `install`: how long nine of ten installations were seen to take; `None`: nobody knows, it takes no time then.

    Raises:
        MalformedWindow, UnknownZone: it was not read by `reading.policy_of`.
    """
    beside = Beside(
        install=install,
        limits=tuple(ExceptionLimit(each.id, each.exceptions.allowed, each.exceptions.longest) for each in presets),
        promised={(OWN_REGIME, f"sla-{n}"): Measure(row.measure) for n, row in enumerate(document.sla, 1)},
    )
    windows = {name: window_of(name, entry, document.zone) for name, entry in document.windows.items()}
    return lint(document, compiled(document, presets), windows, now=now, beside=beside)
