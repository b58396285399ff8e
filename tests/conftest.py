"""One thread: results and times then depend less on the machine."""

import torch

torch.set_num_threads(1)
