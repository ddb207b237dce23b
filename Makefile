.DEFAULT_GOAL := help
SHELL := /bin/sh
# Set in many containers: each command and test worker would compile every module again.
unexport PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
# Runs the bootstrap in .venv or in a container: see RUNTIME in .env.example.
STACK := sh scripts/stack.sh
PYTEST := $(PY) -m pytest
# Settings given to make (make up GATEWAY_PORT=5000) reach every command below through the
# environment; .env has the rest, and .env.example says which there are.

##@ Run
.PHONY: up
up: ## Set up, start and create everything in serverless.yml
	@$(STACK) up $(if $(PRUNE),--prune "$(PRUNE)")

.PHONY: plan
plan: ## Show what make up would create, change, replace and delete [PRUNE=all] [FORMAT=json]
	@$(STACK) plan $(if $(PRUNE),--prune "$(PRUNE)") $(if $(filter json,$(FORMAT)),--json)

.PHONY: outputs
outputs: ## Print the Outputs of the definition and the stack's addresses [FORMAT=json|env]
	@$(STACK) outputs $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: down
down: ## Stop; nothing keeps running (serverless.yml and your files stay)
	@$(STACK) stop

.PHONY: status
status: ## Show functions, triggers, queues and what waits in them
	@$(STACK) status

.PHONY: logs
logs: ## Follow the functions' logs [FUNCTION=name] [REQUEST=id]
	@$(STACK) logs $(if $(FUNCTION),--function "$(FUNCTION)") $(if $(REQUEST),--request-id "$(REQUEST)")

.PHONY: watch
watch: ## Run functions from this folder: a saved file counts at the next invocation
	@$(STACK) watch

.PHONY: debug
debug: ## Start the next environment under debugpy: FUNCTION=get_brand
	@$(STACK) debug "$(FUNCTION)"

.PHONY: check
check: ## Say where an event could vanish, before anything is created [STRICT=1] [FORMAT=json|sarif]
	@$(STACK) check $(if $(STRICT),--strict) $(if $(FORMAT),--format "$(FORMAT)")

.PHONY: init
init: setup ## Begin a project with a function for each kind of trigger: APP=../mine [TRIGGERS=http,sqs]
	@$(PY) -m bootstrap init "$(APP)" --triggers "$(TRIGGERS)"

.PHONY: package-aws
package-aws: setup ## Package for AWS with osls, without an account, and say where: [STAGE=dev] [APP=]
	@sh tests/osls/install.sh
	@$(PY) -m bootstrap package-aws $(if $(STAGE),--stage "$(STAGE)")

.PHONY: clean
clean: down ## Stop and remove state, set-up and caches
	@rm -rf .trigger-stack .build .venv .serverless .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: shell
shell: ## A shell beside the stack, with awslocal and python
	@$(STACK) shell

##@ Fire and recover
.PHONY: fire
fire: ## List the triggers with a number each; fire one: N=3
	@if [ -z "$(N)" ]; then $(STACK) fire; else \
	  command=$$($(STACK) fire --number "$(N)") || exit $$?; \
	  command=$$(printf '%s\n' "$$command" | tail -n 1); \
	  printf '%s\n' "$$command"; sh -c "$$command"; fi

.PHONY: fire-schedule
fire-schedule: ## Fire a scheduled rule or a schedule now: RULE=hourly-metrics
	@$(STACK) fire-schedule "$(RULE)"

.PHONY: mail-in
mail-in: ## Send a mail to SES and say what happened: FILE=samples/logo.eml [TO=address] [SENDER=address]
	@test -n "$(FILE)" || { echo "Say which mail: make mail-in FILE=samples/logo.eml" >&2; exit 2; }
	@$(STACK) mail-in - $(if $(TO),--to "$(TO)") $(if $(SENDER),--sender "$(SENDER)") <"$(FILE)"

.PHONY: fire-log
fire-log: ## Write a line into a log group, and say which filters match: GROUP=/aws/lambda/… [MESSAGE=]
	@$(STACK) fire-log "$(GROUP)" $(if $(value MESSAGE),--message "$$MESSAGE")

.PHONY: fire-pipe
fire-pipe: ## Put an event into the source of a pipe: PIPE=brand-usage-limits [BODY=]
	@$(STACK) fire-pipe "$(PIPE)" $(if $(value BODY),--body "$$BODY")

.PHONY: fire-table
fire-table: ## Create, change and remove an item, for the table's stream: TABLE=brands [ITEM=]
	@$(STACK) fire-table "$(TABLE)" $(if $(value ITEM),--item "$$ITEM")

.PHONY: fire-user-pool
fire-user-pool: ## Have a user pool call a trigger: POOL=brand-admins TRIGGER=DefineAuthChallenge
	@$(STACK) fire-user-pool "$(POOL)" "$(TRIGGER)"

.PHONY: chaos
chaos: ## Faults on purpose: DUPLICATES=0.2 ERRORS=0.1 KILLS=0.05 DELAY=100 [FUNCTION=name]; OFF=1
	@$(STACK) chaos $(if $(DUPLICATES),--duplicates "$(DUPLICATES)") $(if $(ERRORS),--errors "$(ERRORS)") \
		$(if $(KILLS),--kills "$(KILLS)") $(if $(DELAY),--delay-ms "$(DELAY)") \
		$(if $(FUNCTION),--function "$(FUNCTION)") $(if $(OFF),--off)

.PHONY: clock
clock: ## Show when each schedule is due; move their clock: AT=+1h, AT=2026-01-31T12:00Z, AT=real
	@$(STACK) clock $(if $(AT),"$(AT)")

.PHONY: dlq
dlq: ## Show what lies in every dead-letter queue, and why; in one: QUEUE=brand-notifications-dlq
	@$(STACK) dlq $(if $(QUEUE),"$(QUEUE)")

.PHONY: redrive
redrive: ## Send dead letters back to where they failed: QUEUE=brand-notifications-dlq
	@$(STACK) redrive "$(QUEUE)"

.PHONY: events
events: ## List accepted events [FUNCTION=] [SOURCE=] [STATE=] [SINCE=10m] [TEXT=] [SQL=]
	@$(STACK) events $(if $(FUNCTION),--function "$(FUNCTION)") $(if $(SOURCE),--source "$(SOURCE)") \
	  $(if $(STATE),--state "$(STATE)") $(if $(SINCE),--since "$(SINCE)") \
	  $(if $(TEXT),--text "$(TEXT)") $(if $(SQL),--sql "$(SQL)")

.PHONY: trace
trace: ## Show an event's whole way as a tree: ID=…
	@$(STACK) trace "$(ID)"

.PHONY: lost
lost: ## List the events that are lost; fails when there is one
	@$(STACK) lost

##@ Test
# Of a new clone, each of the six workers would compile every test by itself: one process does so
# beside mypy, which has one core only.
.PHONY: test
test: setup ## Everything: style, types, unit, component and e2e tests
	@[ -d tests/unit/plugin/__pycache__ ] || $(PYTEST) --collect-only -q >/dev/null 2>&1 & \
	  $(MAKE) --no-print-directory lint && wait
	@sh tests/osls/install.sh
	@sh tests/tools/install.sh
	@$(STACK) test

.PHONY: test-unit
test-unit: setup ## Logic and bootstrap; needs no stack
	@$(PYTEST) tests/unit -n auto

.PHONY: fuzz
fuzz: setup ## Mutated definitions and code: each ends with a sentence, in time [MUTANTS=10000]
	@FUZZ_MUTANTS="$(or $(MUTANTS),10000)" \
	  $(PYTEST) tests/unit/bootstrap/test_check_fuzz.py tests/unit/bootstrap/test_definition_fuzz.py -n auto -q

.PHONY: test-e2e
test-e2e: ## Fire every trigger of the running stack (starts it if it is not)
	@$(STACK) test tests/e2e

.PHONY: lint
lint: setup ## Style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

.PHONY: format
format: setup ## Format the code
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

.PHONY: audit
audit: setup ## Known vulnerabilities in the locked packages
	@sh scripts/audit.sh

##@ Measure
.PHONY: bench-up
bench-up: ## Time from a clone with nothing cached to the first fired trigger, and of make up again
	@sh scripts/bench-up.sh

.PHONY: bench-bootstrap
bench-bootstrap: setup ## Check, first run (starts the stack anew), no change, 100 functions [BENCH_FUNCTIONS=100]
	@$(PY) -m bench.bootstrap

.PHONY: bench-compose
bench-compose: ## RUNTIME=docker: image size, time of make up, memory, e2e time
	@sh scripts/bench-compose.sh

.PHONY: bench-cold-start
bench-cold-start: setup ## Cold starts of the brand platform's functions on the running stack
	@$(PY) -m bench.cold_start

.PHONY: bench-invoke
bench-invoke: setup ## Invoke through the API: warm, cold, memory, with MiniStack beside it
	@sh bench/peers.sh
	@$(PY) -m bench.invoke

.PHONY: soak
soak: setup ## Events over all sources under faults, EVENTS=50000: each has one end
	@SOAK_EVENTS="$(or $(EVENTS),50000)" LOG_EVENTS_MAX=10000000 $(PY) -m pytest -n 0 tests/delivery/test_soak.py

.PHONY: bench-triggers
bench-triggers: setup ## From each trigger to its effect, queue drain, S3 burst (wrk), with MiniStack beside it
	@sh bench/peers.sh
	@$(PY) -m bench.triggers

.PHONY: bench-http
bench-http: setup ## Requests (wrk): the HTTP API beside serverless-offline, MiniStack, uvicorn; each other door
	@sh bench/peers.sh
	@$(PY) -m bench.http
	@$(PY) -m bench.doors

.PHONY: bench-doors
bench-doors: setup ## Every front door (wrk): rates, a JWT, 6 MB bodies, streaming, memory [SOAK=1000000]
	@sh bench/peers.sh
	@$(PY) -m bench.doors $(if $(SOAK),--soak "$(SOAK)")

.PHONY: bench-soak
bench-soak: setup ## Many invocations through the AWS port: what LocalStack and the engine keep of them (wrk)
	@sh bench/peers.sh
	@$(PY) -m bench.soak

.PHONY: bench-idle
bench-idle: setup ## Memory and CPU at rest: alone, with 50 mappings, with 1000 warm environments
	@$(PY) -m bench.idle

.PHONY: bench-rekognition
bench-rekognition: setup ## DetectLabels: first call, warm calls, memory
	@$(PY) -m bench.rekognition

##@ Look after it
.PHONY: setup
setup: ## Install everything into .venv and .build (part of up)
	@sh scripts/setup.sh

.PHONY: layer
layer: setup ## Build the layer that functions share (part of up)

.PHONY: vision
vision: ## Install the models behind Rekognition (part of up, unless VISION=0)
	@VISION=1 sh scripts/setup.sh

.PHONY: doctor
doctor: ## Say what this machine lacks and how to install it
	@sh scripts/doctor.sh

.PHONY: lock
lock: setup ## Resolve the dependencies anew and write the locks
	@sh scripts/lock.sh

.PHONY: schemas
schemas: setup ## Copy AWS's resource schemas from LocalStack, after a new version or resource type
	@$(PY) scripts/aws_schemas.py

.PHONY: docs
docs: setup ## Write the pages that are generated from the code
	@$(PY) scripts/localstack_patches.py
	@$(PY) scripts/check_rules.py

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
