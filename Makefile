# Shorthands for the commands that a developer types most; each is one line that can be typed by hand as well.

.PHONY: help test check bench run

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

test: ## all tests, on SQLite and on a throwaway PostgreSQL
	scripts/test

check: ## formatting, lints, documentation, licences
	scripts/check

bench: ## the measured comparison
	bench/run

run: ## the service with an embedded database, to try it
	cargo run --release --locked -- dev
