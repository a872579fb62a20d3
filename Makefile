# What people run; the same as CI, but for what CI installs first (.ci/run).
.PHONY: check test conformance lint types doctest docs coverage example

check: ## everything that must hold: the README's two lines, lint, types, floors, house rules, doctests, the wheel
	.ci/check

test: ## all tests, in the environment that the README's first line made
	.venv/bin/python -m pytest

conformance: ## DICOM objects by others' judgement, all sources (PixelMed takes 20 s a report)
	MEDIMG_CONFORMANCE=all .venv/bin/python -m pytest tests/conformance

lint: ## style and imports
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: ## mypy
	.venv/bin/mypy

doctest: ## the examples in the package and in the README
	.venv/bin/python -m pytest -q --doctest-modules medimg
	.venv/bin/python -m pytest -q --doctest-glob=README.md README.md

docs: ## the pages that are made from the code
	.venv/bin/python docs/make_commands.py
	.venv/bin/python docs/make_models.py

coverage: ## all tests with branch coverage
	.venv/bin/python -m pytest --cov --cov-report=term --cov-report=html

example: ## the phantom study, made again
	.venv/bin/python -m medimg.phantoms
