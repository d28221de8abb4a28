"""PyTorch golden models of folded residual networks, and the search for their tickets."""
