# Every command a contributor needs; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
# A production-like environment for the checks that only mean something there.
PRODUCTION := APP_ENV=production SECRET_KEY=$$($(PYTHON) -c "import secrets; print(secrets.token_urlsafe(50))") \
	DATABASE_URL=postgresql://candor@127.0.0.1/candor KEYSTORE_DATABASE_URL=postgresql://candor@127.0.0.1/keystore \
	REDIS_URL=redis://127.0.0.1:6379/0 PUBLIC_URL=https://shop.example.com ALLOWED_HOSTS=shop.example.com \
	SMTP_URL=smtp://127.0.0.1:25

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve test check gates lint format types imports migrations \
	deploy schema security translations coverage lock bench screenshots clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.venv/run.stamp: requirements.lock
	@echo "Installing into .venv; this takes a minute or two."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock | .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: .venv/run.stamp ## Install what running needs into .venv
	@$(MANAGE) messages --compile

setup-dev: .venv/dev.stamp setup ## Install what developing needs too

demo: setup ## Fill a demo shop and serve it on 127.0.0.1:8000
	$(MANAGE) demo

serve: setup ## Serve your own shop on 127.0.0.1:8000
	$(MANAGE) serve

test: setup-dev ## Run the suite on SQLite, then on PostgreSQL and Redis
	$(BIN)/python -m tests.servers -n 2 --dist loadgroup

check: gates test ## Every gate and the whole suite

gates: setup-dev lint types imports migrations deploy schema security translations coverage ## Every gate but the suite

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types:
	$(BIN)/mypy .

imports:
	$(BIN)/lint-imports

migrations:
	$(MANAGE) makemigrations --check --dry-run

deploy:
	@echo "check --deploy in the production profile"
	@$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

schema:
	$(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

security:
	$(BIN)/bandit --quiet --severity-level medium --recursive --configfile pyproject.toml config campaigns recommendations profiles privacy jobs inference

translations:
	$(MANAGE) messages --check

# Branches of the pure packages, by the tests that are theirs; which those packages are says pyproject.toml.
PURE_TESTS := tests/inference tests/test_branches.py tests/privacy/test_envelope.py tests/privacy/test_blind_index.py \
	tests/privacy/test_wycheproof.py tests/privacy/test_stream.py tests/privacy/test_signing.py tests/privacy/test_key_cache.py tests/privacy/test_finder.py tests/privacy/test_outbound.py \
	tests/privacy/test_fairness.py tests/profiles/test_rules.py tests/profiles/test_attributes.py \
	tests/profiles/test_clustering.py tests/profiles/test_scores.py tests/profiles/test_personas.py tests/profiles/test_segmentation.py \
	tests/profiles/test_segment_conditions.py tests/profiles/test_two_evaluators.py tests/profiles/test_reasons.py \
	tests/profiles/test_event_traits.py tests/profiles/test_own_traits.py tests/profiles/test_membership.py \
	tests/recommendations/test_compatibility.py tests/recommendations/test_engines.py tests/recommendations/test_engine_formulas.py \
	tests/recommendations/test_evaluation.py tests/recommendations/test_comparing.py tests/recommendations/test_memory.py \
	tests/recommendations/test_groups.py tests/recommendations/test_feed_fetching.py \
	tests/campaigns/test_assignment.py tests/campaigns/test_findings.py tests/campaigns/test_rendering.py tests/campaigns/test_brand.py \
	tests/campaigns/test_attack_templates.py tests/campaigns/test_returned_mail.py tests/campaigns/test_sms.py tests/campaigns/test_sender.py \
	tests/campaigns/test_reach.py tests/campaigns/test_prechecks.py tests/campaigns/test_skeletons.py tests/campaigns/test_utm.py tests/campaigns/test_editor.py tests/campaigns/test_pictures.py

coverage:
	$(BIN)/coverage erase
	$(BIN)/coverage run --branch --source=$$($(BIN)/python -m tests.branches --packages) -m pytest -q -n 2 --dist loadgroup -m "not real_data" $(PURE_TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m tests.branches

lock: ## Resolve the lock files anew
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --quiet -c requirements.lock -o requirements-dev.lock

bench: setup-dev ## Run the benchmarks, each against a floor of the same run
	$(BIN)/python -m benchmarks

screenshots: setup-dev ## Take the pictures of README and the guide of a demo shop, by Chromium
	SCREENSHOTS=1 REQUIRE_SERVICES=1 $(BIN)/python -m pytest -q tests/journeys/test_screenshots.py

clean: ## Remove the environment and what tools left behind; your data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
