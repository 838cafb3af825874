# `make help` lists what there is. Everything runs in .venv, which the first command creates.
SHELL := /bin/bash
BIN := .venv/bin
PORT ?= 8000

.PHONY: help start test book notebooks check-notebooks lint bench serve clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-16s %s\n", $$1, $$2}'

start: ## set everything up, build the book and serve it on http://127.0.0.1:8000
	@tools/setup.sh start
	@$(MAKE) --no-print-directory book serve

test: ## set everything up and pass all tests (what CI runs)
	@tools/setup.sh test
	@$(MAKE) --no-print-directory lint check-notebooks book
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup # two processes of one thread, not of two each

lint: ## look at the style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

book: ## build the book into _build/html
	$(BIN)/python tools/build_book.py

notebooks: ## write the student notebooks from the solutions
	$(BIN)/unseg release

check-notebooks: ## fail if the student notebooks are not up to date
	$(BIN)/unseg release --check

bench: ## measure speed against peers (minutes)
	@tools/setup.sh test
	$(BIN)/unseg bench

serve: ## serve the built book
	$(BIN)/unseg serve --port $(PORT)

clean: ## remove what was built; .venv stays
	rm -rf _build .pytest_cache .ruff_cache
