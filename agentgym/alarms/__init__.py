"""What a run is warned by: rules over its metrics, and the watch that evaluates them."""
