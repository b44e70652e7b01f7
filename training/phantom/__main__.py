"""Command line of the chest phantom's recipe: `python -m secondread.training.phantom`."""

from secondread.training.phantom.command import main

if __name__ == "__main__":
    raise SystemExit(main())
