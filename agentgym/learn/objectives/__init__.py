"""Objectives: pure functions of flat tensors over trained tokens to a loss for each token, and metrics."""
