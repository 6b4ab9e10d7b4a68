"""What needs torch: policies, batches, objectives, the learner, the loop, checkpoints."""
