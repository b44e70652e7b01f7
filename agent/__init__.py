"""The loop: planners, beliefs, claim gate, trace."""
