"""What can be wrong with a message."""


class UndecodableEvent(ValueError):
    """A message is not an event of ours; the text names the field and what it should have been. Never works."""


class UnknownEventType(UndecodableEvent):
    """A well-formed CloudEvent has a type that this release does not know."""
