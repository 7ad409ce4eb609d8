"""What is wrong with a window. Pure."""


class MalformedWindow(ValueError):
    """A window that cannot be read, so that it never comes. `field` is what to mend, `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        """Say what is wrong with which field."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
