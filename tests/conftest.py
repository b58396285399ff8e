"""One thread: results and times then depend less on the machine. And no test meets the modules of another one."""

import gc
import sys
from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)
gc.set_threshold(50_000, 20, 50)  # what libraries bring is looked through less often: a fifth of the time


@pytest.fixture(autouse=True)
def _forget_modules_of_temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before, base = set(sys.modules), str(tmp_path_factory.getbasetemp())
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(base):
            del sys.modules[name]
