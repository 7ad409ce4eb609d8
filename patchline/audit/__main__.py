"""`python -m patchline.audit`: the standing auditor."""

from chassis.commands import WRONG_USE, stop
from chassis.errors import WrongSetting
from patchline.audit.standing import main

if __name__ == "__main__":
    try:
        main()
    except WrongSetting as error:
        stop(str(error), WRONG_USE)
