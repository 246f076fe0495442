"""The processes of one training, as torchrun starts them; a training without it is one process."""

import os

import torch
from torch import distributed


class Workers:
    """This process among those of the training."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    @property
    def first(self) -> bool:
        """Whether this process validates, logs and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            distributed.barrier()

    def shared(self, number: int) -> int:
        """What the first process has."""
        if self.count == 1:
            return number
        found = [number]
        distributed.broadcast_object_list(found, src=0)
        return found[0]
