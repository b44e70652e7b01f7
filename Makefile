.PHONY: check test slow format

check:  ## before a push
	ruff format --check .
	ruff check .
	mypy
	python -m pytest

test:
	python -m pytest

slow:  ## what takes more than a few seconds
	python -m pytest -m slow

format:
	ruff format .
	ruff check --fix .
