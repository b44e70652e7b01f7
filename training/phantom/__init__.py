"""Recipe of the generator of synthetic chest films."""
