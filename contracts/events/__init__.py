"""Every event that travels, by type. A new event is one class here, one schema, one golden example."""

from typing import Final

from contracts.events import asset, client, credential, exposure, obligation, psa, rmm, ticket
from contracts.events.event import Event

ALL: Final[tuple[type[Event], ...]] = (
    rmm.DeviceSeen,
    rmm.DeviceUpdated,
    rmm.DeviceRemoved,
    rmm.DeviceOnline,
    rmm.DeviceOffline,
    rmm.DeviceBooted,
    rmm.ApplicationsListed,
    rmm.PatchScanCompleted,
    rmm.PatchDetected,
    rmm.PatchNoLongerListed,
    rmm.PatchApproved,
    rmm.PatchRejected,
    rmm.PatchInstallReported,
    rmm.PatchInstallFailed,
    rmm.PatchRolledBack,
    rmm.PatchRebootPending,
    rmm.AlertRaised,
    rmm.AlertReset,
    client.ClientChanged,
    asset.AssetChanged,
    asset.AssetRemoved,
    obligation.ObligationStateChanged,
    obligation.ObligationFailureRepeated,
    obligation.UncataloguedFailureChanged,
    obligation.PatchCatalogued,
    obligation.FigurePublished,
    psa.TicketTold,
    ticket.TicketOpened,
    ticket.TicketAppended,
    ticket.TicketResolved,
    ticket.TicketReopened,
    ticket.TicketMerged,
    ticket.TicketParked,
    ticket.TicketNoted,
    exposure.ExposureFound,
    exposure.ApprovalGiven,
    credential.CaseOpened,
    credential.ExposureAppended,
    credential.CaseDecided,
    credential.ApprovalAsked,
    credential.ApprovalCounted,
    credential.CaseStepDone,
    credential.CaseStepParked,
    credential.CaseClosed,
    credential.PromiseBroken,
    credential.BreakerMoved,
    credential.HygieneChanged,
)

BY_TYPE: Final[dict[str, type[Event]]] = {event.TYPE: event for event in ALL}
