"""One PyTorch thread: two that share a busy machine are many times slower than one."""

import torch

torch.set_num_threads(1)
