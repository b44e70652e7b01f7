"""Recipe of the chest anatomy segmenter."""
