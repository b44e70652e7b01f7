"""Whether stated probabilities and intervals hold: out-of-fold rows of every shipped question, and their figures."""
