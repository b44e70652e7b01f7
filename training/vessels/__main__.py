"""Recipe of the retinal vessel expert: `python -m secondread.training.vessels --data DIR --out DIR`."""

from secondread.training.experts import Recipe, main
from secondread.training.vessels.data import DATA, load_eyes
from secondread.training.vessels.fit import fit
from secondread.training.vessels.ship import ship

RECIPE = Recipe(name="vessels", data=DATA, load=load_eyes, fit=fit, ship=ship)

if __name__ == "__main__":
    raise SystemExit(main(RECIPE))
