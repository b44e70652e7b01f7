"""Command line of the chest anatomy recipe: `python -m secondread.training.anatomy`."""

from secondread.training.anatomy.command import main

if __name__ == "__main__":
    raise SystemExit(main())
