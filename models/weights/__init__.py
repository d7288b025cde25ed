"""Transfer of trained weights: from a trial's checkpoint to another trial, or to an export."""
