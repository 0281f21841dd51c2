"""`python -m jobs.cluster PARENT`: the queue's processes for one lane, as supervision starts them.

None of them outlives the one that forked it. Without that, processes of a cluster whose master was killed go on taking
jobs, next to those of the cluster that replaced it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_forking = 0


def main() -> None:
    import django

    die_with(int(sys.argv[1]))
    os.register_at_fork(before=note_parent, after_in_child=lambda: die_with(_forking))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from . import queue

    queue.work_until_told_to_stop()


def note_parent() -> None:
    global _forking
    _forking = os.getpid()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


if __name__ == "__main__":
    main()
