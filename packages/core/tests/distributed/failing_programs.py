"""Programs for several ranks in which something goes wrong: the first argument says what."""

import sys
import time
from datetime import timedelta

import facula
from facula import distributed as dist

dist.init_process_group(timeout=timedelta(seconds=1))
rank = dist.get_rank()
dist.all_reduce(facula.ones(3))
if sys.argv[1] == "one leaves out a collective":
    if rank == 1:
        dist.irecv(facula.ones(3), src=0).wait(timedelta(seconds=60))
    dist.barrier()
elif sys.argv[1] == "one fails":
    if rank == 1:
        raise ZeroDivisionError("on purpose")
    time.sleep(60)
elif sys.argv[1] == "one leaves":
    if rank == 1:
        sys.exit(0)
    dist.barrier()
