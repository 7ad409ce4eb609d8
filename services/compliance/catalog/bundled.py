"""Where the catalog that comes with Patchline stands."""

from pathlib import Path
from typing import Final

BUNDLED: Final = Path(__file__).parent / "bundled.json"
