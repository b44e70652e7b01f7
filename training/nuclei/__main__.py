"""Command line of the nucleus recipe: `python -m secondread.training.nuclei`."""

from secondread.training.experts import Recipe, main
from secondread.training.nuclei.data import load_fields
from secondread.training.nuclei.fit import fit
from secondread.training.nuclei.ship import ship

RECIPE = Recipe("nuclei", "nuclei_dsb2018", load_fields, fit, ship)

if __name__ == "__main__":
    raise SystemExit(main(RECIPE))
