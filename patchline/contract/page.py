"""Renders the contract as one page without anything from outside, and writes it with the files that it links to."""

import re
import shutil
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from patchline.contract.view import SCHEMAS, files, view

TEMPLATE: Final = "page.html.j2"
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_CODE: Final = re.compile("`([^`]+)`")


def marked(text: str) -> Markup:
    """Return plain text as HTML, what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped right there


_TEMPLATES.filters["marked"] = marked


def rendered() -> str:
    """Return the whole page."""
    return _TEMPLATES.get_template(TEMPLATE).render(view=view()) + "\n"


def write(folder: Path) -> Path:
    """Write the page, the documents and the schemas into `folder`, over what was written there before.

    Raises:
        OSError: it cannot be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCHEMAS.name).mkdir(exist_ok=True)
    for file in files():
        shutil.copyfile(file, folder / file.relative_to(SCHEMAS.parent))
    page = folder / "index.html"
    page.write_text(rendered(), encoding="utf-8")
    return page
