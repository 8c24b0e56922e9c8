# Everything runs from .venv, built from the hashed lock. `make help` lists the targets.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
WORKERS ?= 2
KEYCLOAK := 26.5.6
VERAPDF := 1.28.2
KEYCLOAK_HOME := $(or $(RIS_KEYCLOAK_HOME),var/interop/keycloak-$(KEYCLOAK))
VERAPDF_HOME := $(or $(RIS_VERAPDF_HOME),var/interop/verapdf-$(VERAPDF))
FETCH := mvn -q -B -C -Dstyle.color=never -f interop/pom.xml -Dkeycloak=$(KEYCLOAK) -Dverapdf=$(VERAPDF)
.DEFAULT_GOAL := help
.PHONY: help install demo test check fuzz mutants bench bench-identity bench-auth lock openapi matrix sbom ins-day interop clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 ou plus récent est nécessaire, avec venv : apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.prod: requirements/prod.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/prod.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.prod
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

install: .venv/.prod ## build .venv from the hashed lock

demo: .venv/.prod ## play the main job end to end (KEEP=1 leaves the services up)
	@$(BIN)/ris demo $(if $(KEEP),--keep)

test: .venv/.dev ## install the test extras and run the whole suite
	@$(BIN)/python -m pytest -n $(WORKERS)

ins-day: .venv/.dev ## play the 40 lines of the INS test day and print their table
	@$(BIN)/python -m pytest -q -rN tests/ins_day

var/interop/keycloak-$(KEYCLOAK):
	-@$(FETCH) dependency:unpack@keycloak

var/interop/verapdf-$(VERAPDF):
	-@$(FETCH) dependency:copy-dependencies@verapdf

interop: .venv/.dev $(KEYCLOAK_HOME) $(VERAPDF_HOME) ## put Java reference tools in front of us: Keycloak, veraPDF (needs Java 17, Maven)
	@RIS_KEYCLOAK_HOME=$(KEYCLOAK_HOME) RIS_VERAPDF_HOME=$(VERAPDF_HOME) $(BIN)/python -m pytest -q -m interop

check: .venv/.dev ## lint, types, layers, requirement matrix
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ris rem gates
	$(BIN)/ris openapi --check

fuzz: .venv/.dev ## 200 000 mutated HL7 messages and INSi answers, 300 lives of identities, the API as each role
	$(BIN)/python -m tests.interop.hl7v2.fuzz 200000
	$(BIN)/python -m tests.identity.fuzz_insi 200000
	RIS_FUZZ_MESSAGES=6000 RIS_FUZZ_ANSWERS=2000 $(BIN)/python -m pytest -q tests/interop/hl7v2/test_fuzz.py tests/identity/test_fuzz_insi.py
	RIS_FUZZ_SEQUENCES=300 $(BIN)/python -m pytest -q tests/identity/test_stateful.py
	RIS_FUZZ_API=20 $(BIN)/python -m pytest -q tests/fuzz_api

mutants: .venv/.dev ## mutate the identity guards, write docs/mutants-identity.md (1 when one lives)
	$(BIN)/python -m tests.mutation

bench: .venv/.dev ## measure the main job and the delivery engine
	$(BIN)/python -m tests.bench

bench-identity: .venv/.dev ## search among a million patients and ADT intake, against their targets
	$(BIN)/python -m tests.bench_identity

bench-auth: .venv/.dev ## 200 signed-in people at 50 requests a second, and the sign-in, against their targets
	$(BIN)/python -m tests.bench_auth

matrix: .venv/.dev ## write docs/requirements.* from the code and the last full test run
	$(BIN)/ris rem matrix

openapi: .venv/.prod ## write docs/openapi.json
	$(BIN)/ris openapi

lock: ## renew the lock files (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra embedded --extra sandbox --extra validation -o requirements/prod.txt pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --all-extras --group dev -o requirements/dev.txt pyproject.toml
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 -o requirements/build.txt requirements/build.in

sbom: .venv/.dev ## write var/sbom.json (CycloneDX) of the runtime environment
	@mkdir -p var
	$(BIN)/cyclonedx-py requirements requirements/prod.txt --output-file var/sbom.json

clean: ## remove what the commands made: .venv and var
	rm -rf .venv var
