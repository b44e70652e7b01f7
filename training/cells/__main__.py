"""Command line of the blood-cell recipe: `python -m secondread.training.cells`."""

from secondread.training.cells.data import load_fields
from secondread.training.cells.fit import fit
from secondread.training.cells.ship import ship
from secondread.training.experts import Recipe, main

RECIPE = Recipe("cells", "cells_bccd", load_fields, fit, ship)

if __name__ == "__main__":
    raise SystemExit(main(RECIPE))
