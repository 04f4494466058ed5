# Shorthands for the commands that a developer types most; each is one line that can be typed by hand as well.

.PHONY: help test check interop bench demo run

help: ## this list
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

demo: ## service and emulator under faults, then a comparison of both; ends by itself
	cargo run --release --locked -- demo

run: ## the service with an embedded database and the emulator, to try it
	cargo run --release --locked -- dev
