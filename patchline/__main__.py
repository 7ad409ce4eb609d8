"""`python -m patchline` is `patchline`."""

from patchline.main import main

main()
