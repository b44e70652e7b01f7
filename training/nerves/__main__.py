"""Command line of the nerve and vessel recipe: `python -m secondread.training.nerves`."""

from secondread.training.experts import Recipe, main
from secondread.training.nerves.data import load_scans
from secondread.training.nerves.fit import fit
from secondread.training.nerves.ship import ship

RECIPE = Recipe("nerves", "ultrasound_usgra", load_scans, fit, ship)

if __name__ == "__main__":
    raise SystemExit(main(RECIPE))
