"""The training loop of searches: what a recipe says, from images to a checkpoint."""
