# Shorthands for the commands that a developer types most; each is one line that can be typed by hand as well.

.PHONY: help test check interop bench demo run

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

test: ## all tests, on SQLite and on a throwaway PostgreSQL
	scripts/test

check: ## formatting, lints, documentation, licences
	scripts/check

interop: ## the provider's official npm client against the emulator
	cargo build --locked
	scripts/interop

bench: ## the measured comparison
	bench/run

demo: ## the whole under faults, checked: finite
	cargo run --release --locked -- demo

run: ## the service with an embedded database, to try it
	cargo run --release --locked -- dev
