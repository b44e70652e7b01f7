"""The parts of the claim gate: text, numbers, facts of the evidence, sides, comparisons, negation, vocabulary."""
