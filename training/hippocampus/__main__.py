"""Recipe of the hippocampus expert: `python -m secondread.training.hippocampus --data DIR --out DIR`."""

from secondread.training.experts import Recipe, main
from secondread.training.hippocampus.data import DATA, load_cases
from secondread.training.hippocampus.fit import fit
from secondread.training.hippocampus.ship import ship

RECIPE = Recipe(name="hippocampus", data=DATA, load=load_cases, fit=fit, ship=ship)

if __name__ == "__main__":
    raise SystemExit(main(RECIPE))
