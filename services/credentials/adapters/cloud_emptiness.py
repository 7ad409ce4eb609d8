"""Answers that a vendor documents as empty: anything in them comes from somebody who stands between."""

import httpx

from chassis.http import Unavailable


def without_content(response: httpx.Response) -> None:
    """Make sure that an answer is empty.

    Raises:
        Unavailable: it is not; nothing may have been done, or all.
    """
    if response.content:
        raise Unavailable(f"{response.request.url.host}: an answer where none is documented", ambiguous=True)
